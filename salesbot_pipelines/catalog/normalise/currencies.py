"""ISO 4217: how many decimals each currency's minor unit has.

The whole table, the codes without a minor unit, and withdrawn codes that Shopify's CurrencyCode still names.
"""

from __future__ import annotations

import re

_CODE = re.compile("[A-Z]{3}", re.ASCII)

_BY_EXPONENT = {
    0: (
        "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF "
        "BYR "  # withdrawn, still in Shopify's enum
        "XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XTS XUA XXX"  # no minor unit: nothing to pad to
    ),
    2: (
        "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF "
        "CHE CHF CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ "
        "GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK "
        "MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB "
        "SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN "
        "UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG "
        "HRK LTL LVL SLL STD VEF ZWL "  # withdrawn
        "JEP KID"  # no ISO codes, but in Shopify's enum; pegged at par
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
EXPONENTS = {code: exponent for exponent, codes in _BY_EXPONENT.items() for code in codes.split()}


def is_currency(code: object) -> bool:
    """Say whether a text has the form of an ISO 4217 code."""
    return isinstance(code, str) and _CODE.fullmatch(code) is not None


def exponent_of(code: str) -> int:
    """Return the decimals of a currency's minor unit; two for a code that is not in the table."""
    return EXPONENTS.get(code, 2)
