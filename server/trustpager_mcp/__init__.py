"""TrustPager's API as MCP tools: definitions, catalogue, dispatcher, transports and a sandbox."""

__version__ = "0.1.0"
