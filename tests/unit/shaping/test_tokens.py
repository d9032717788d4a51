from __future__ import annotations

import json
import uuid
from collections.abc import Callable

import pytest

from trustpager_mcp.catalog import default_catalog
from trustpager_mcp.shaping.tokens import at_most, estimate

Count = Callable[[str], int]

ids = [str(uuid.UUID(int=i * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128)) for i in range(1, 200)]
names = ["Mia Rossi", "Leo Nguyen", "Charlotte Hussein", "Søren Kowalski", "Priya Patel", "Liam O'Brien"]
TEXTS = {
    "ids": "\n".join(ids),
    "a table": "\n".join(
        f"{x},{names[i % 6]},+6141{i:07d},open,{i * 37}.50,2026-0{i % 9 + 1}-1{i % 10}" for i, x in enumerate(ids)
    ),
    "mail addresses": "\n".join(f"{names[i % 6].replace(' ', '.').lower()}.{i}@example.com,{names[i % 6]}" for i in range(200)),
    "JSON": json.dumps(
        [
            {"id": x, "display_name": names[i % 6], "created_at": "2026-01-05T03:04:05Z", "owner_id": None}
            for i, x in enumerate(ids)
        ]
    ),
    "English": " ".join(t.description for t in default_catalog().tools.values()),
    "German": "Sehr geehrte Frau Müller, vielen Dank für Ihre Anfrage. Wir können Ihnen ein Angebot über die Lieferung und Montage unterbreiten. Bitte teilen Sie uns mit, wann ein Termin möglich wäre. ",
    "French": "Bonjour Madame, nous vous remercions de votre demande. Notre technicien passera à votre domicile la semaine prochaine afin d'établir un devis détaillé. ",
    "Chinese": "您好，我们已经收到您关于安装太阳能系统的咨询。技术人员下周将与您联系，安排现场勘察并提供详细报价。",
    "Japanese": "お問い合わせいただきありがとうございます。太陽光発電システムの設置について、来週担当者よりご連絡いたします。ご都合の悪い場合はお知らせください。見積書は添付ファイルをご確認ください。",
    "Arabic": "مرحبا، لقد تلقينا طلبكم بشأن تركيب نظام الطاقة الشمسية. سيتصل بكم الفني الأسبوع المقبل لتحديد موعد المعاينة.",
    "addresses": "\n".join(f"https://files.example.com/{x}/report-{i}.pdf" for i, x in enumerate(ids)),
}


LESS_KNOWN = {"German": 0.15, "French": 0.15}


@pytest.mark.parametrize("name", TEXTS)
def test_the_estimate_is_within_a_tenth_of_the_real_count(name: str, count_tokens: Count) -> None:
    real = count_tokens(TEXTS[name])
    assert abs(estimate(TEXTS[name]) - real) <= LESS_KNOWN.get(name, 0.1) * real


def test_short_texts_are_known_to_fit_without_counting() -> None:
    assert at_most("a" * 100, 100)
    assert not at_most(" word" * 200, 100)
    assert at_most("", 0)
