"""Raw nodes as Shopify's GraphQL schema allows them, and a little beyond: every field may be null or absent.

Texts hold any character but lone surrogates, which no JSON decoder lets through.
"""

from decimal import Decimal

from hypothesis import strategies as st

TEXT = st.text(max_size=12) | st.sampled_from(
    ["", " ", "Default Title", "<p>x</p>", '","updated_at":"', "\x00", "日本 \u200b"]
)
INT = (
    st.integers(-5, 60)
    | st.integers(-(2**31), 2**31 - 1)
    | st.sampled_from([0, -1, 2**53 + 1, 2**64, -(2**70), 10**30])
)
UNSIGNED = INT.map(str) | INT
FLOAT = (
    st.floats()
    | st.decimals()
    | st.integers(0, 9)
    | st.sampled_from([Decimal("0.1"), Decimal("1E+400"), 0.1, 1, 1.0])
)
AMOUNT = (
    st.decimals(min_value=-10, max_value=10**9, places=2).map(str)
    | st.sampled_from(["10.0", "10.00", "0", "-0.00", "1E+2", "1e-400", "NaN", "", "١", "0.125", "9" * 300])
    | TEXT
)
MOMENT = (
    st.datetimes().map(lambda at: at.isoformat(timespec="seconds") + "Z")
    | st.datetimes().map(lambda at: at.isoformat() + "-04:00")
    | st.sampled_from(["2026-02-30T00:00:00Z", "0001-01-01T00:00:00+14:00", "now", ""])
)
URL = st.sampled_from(["https://c.example/a.jpg", "https://ü.example/ a", "//c.example", ""]) | TEXT
CURRENCY = st.sampled_from(["USD", "EUR", "JPY", "KWD", "USDC", "XXX", ""])


def maybe(strategy):
    return strategy | strategy | strategy | st.none()


def node(**fields):
    """An object whose every field may be null, or absent."""
    nullable = {name: maybe(strategy) for name, strategy in fields.items()}
    return st.fixed_dictionaries(nullable) | st.fixed_dictionaries({}, optional=nullable)


NUMBERS = st.integers(1, 40) | st.just(788032119674292922)


def gids(kind):
    good = NUMBERS.map(lambda number: f"gid://shopify/{kind}/{number}")
    return good | good | st.sampled_from(["", "gid://shopify/Product/x"])


def connections(nodes, max_size=3):
    many = st.lists(maybe(nodes), max_size=max_size)
    page = node(hasNextPage=st.booleans())
    return (
        many
        | st.fixed_dictionaries({"nodes": maybe(many)}, optional={"pageInfo": maybe(page)})
        | st.fixed_dictionaries(
            {"edges": maybe(st.lists(maybe(node(node=nodes)), max_size=max_size))}, optional={"pageInfo": maybe(page)}
        )
    )


MONEY = node(amount=AMOUNT, currencyCode=CURRENCY)
COUNT = node(count=INT, precision=st.sampled_from(["EXACT", "AT_LEAST", "OTHER"]))
IMAGE = node(url=URL, width=INT, height=INT, altText=TEXT)
MEDIA = node(
    __typename=st.sampled_from(["MediaImage", "Video", "Model3d", "ExternalVideo", "Hologram"]),
    alt=TEXT,
    mediaContentType=st.sampled_from(["IMAGE", "VIDEO", "MODEL_3D", "EXTERNAL_VIDEO", "HOLOGRAM"]),
    image=IMAGE,
    preview=node(image=IMAGE),
)
METAFIELD = node(namespace=TEXT, key=TEXT, type=TEXT, value=TEXT)
INCOMPLETE = st.lists(
    st.sampled_from(["variants", "media", "metafields", "codes", "items", "product_ids"]), max_size=2
)

ITEM = node(
    id=gids("InventoryItem"),
    tracked=st.booleans(),
    requiresShipping=st.booleans(),
    measurement=node(
        weight=node(unit=st.sampled_from(["GRAMS", "KILOGRAMS", "OUNCES", "POUNDS", "STONES"]), value=FLOAT)
    ),
)
VARIANT = node(
    id=gids("ProductVariant"),
    title=TEXT,
    sku=TEXT,
    barcode=TEXT | st.from_regex(r"[0-9]{8}|[0-9]{12,14}", fullmatch=True),
    barcodes=st.lists(maybe(TEXT), max_size=2),
    position=INT,
    price=AMOUNT,
    compareAtPrice=AMOUNT,
    unitPrice=MONEY,
    unitPriceMeasurement=node(
        quantityUnit=st.sampled_from(["ML", "UNKNOWN"]),
        quantityValue=FLOAT,
        referenceUnit=st.sampled_from(["L", "M2"]),
        referenceValue=INT,
    ),
    availableForSale=st.booleans(),
    inventoryPolicy=st.sampled_from(["DENY", "CONTINUE", "OTHER"]),
    taxable=st.booleans(),
    selectedOptions=st.lists(node(name=TEXT, value=TEXT), max_size=2),
    createdAt=MOMENT,
    updatedAt=MOMENT,
    inventoryItem=ITEM,
    media=connections(MEDIA, 2),
    metafields=connections(METAFIELD, 2),
    incomplete=INCOMPLETE,
)
PRODUCT = node(
    id=gids("Product"),
    title=TEXT,
    handle=TEXT,
    descriptionHtml=TEXT
    | st.lists(st.sampled_from(["<p>", "<li>", "</li>", "<style>", "&amp;", "x ", "<"])).map("".join),
    status=st.sampled_from(["ACTIVE", "DRAFT", "ARCHIVED", "UNLISTED", "NEW"]),
    vendor=TEXT,
    productType=TEXT,
    category=node(id=TEXT, fullName=TEXT),
    tags=st.lists(TEXT, max_size=4),
    options=st.lists(
        node(
            name=TEXT,
            position=INT,
            optionValues=st.lists(node(id=TEXT, name=TEXT), max_size=2),
            values=st.lists(TEXT, max_size=2),
        ),
        max_size=2,
    ),
    variantsCount=COUNT,
    isGiftCard=st.booleans(),
    seo=node(title=TEXT, description=TEXT),
    onlineStoreUrl=URL,
    publishedAt=MOMENT,
    createdAt=MOMENT,
    updatedAt=MOMENT,
    media=connections(MEDIA, 2),
    metafields=connections(METAFIELD, 2),
    variants=connections(VARIANT),
    incomplete=INCOMPLETE,
)
LEVELS = st.none() | st.fixed_dictionaries(
    {
        "id": gids("InventoryItem"),
        "levels": st.lists(
            node(
                isActive=st.booleans(),
                updatedAt=MOMENT,
                location=node(id=gids("Location")),
                quantities=st.lists(
                    node(
                        name=st.sampled_from(["available", "on_hand", "incoming", "committed"]),
                        quantity=INT,
                        updatedAt=MOMENT,
                    ),
                    max_size=4,
                ),
            ),
            max_size=3,
        ),
        "incomplete": st.booleans(),
    }
)
COLLECTION = node(
    id=gids("Collection"),
    title=TEXT,
    handle=TEXT,
    descriptionHtml=TEXT,
    sortOrder=st.sampled_from(["MANUAL", "BEST_SELLING", "NEW_ORDER"]),
    productsCount=COUNT,
    image=IMAGE,
    updatedAt=MOMENT,
    sources=st.lists(
        node(
            __typename=TEXT,
            inclusion=node(conditions=st.lists(node(id=TEXT), max_size=1)),
            exclusion=node(conditions=st.lists(node(id=TEXT), max_size=1)),
            collections=st.lists(node(id=gids("Collection")), max_size=1),
        ),
        max_size=2,
    ),
    product_ids=connections(gids("Product") | node(id=gids("Product"))),
    products=connections(node(id=gids("Product"))),
    incomplete=INCOMPLETE,
)
ITEMS = (
    node(__typename=st.just("AllDiscountItems"), allItems=st.booleans())
    | node(
        __typename=st.just("DiscountProducts"),
        products=connections(node(id=gids("Product"))),
        productVariants=connections(node(id=gids("ProductVariant"), product=node(id=gids("Product")))),
        incomplete=INCOMPLETE,
    )
    | node(__typename=st.just("DiscountCollections"), collections=connections(node(id=gids("Collection"))))
)
GIVES = node(percentage=FLOAT) | node(amount=MONEY, appliesOnEachItem=st.booleans())
DISCOUNT_NODE = node(
    title=TEXT,
    summary=TEXT,
    status=st.sampled_from(["ACTIVE", "EXPIRED", "SCHEDULED", "PAUSED"]),
    startsAt=MOMENT,
    endsAt=MOMENT,
    createdAt=MOMENT,
    updatedAt=MOMENT,
    discountClasses=st.lists(st.sampled_from(["ORDER", "PRODUCT", "SHIPPING", "NEW"]), max_size=3),
    asyncUsageCount=INT,
    combinesWith=node(orderDiscounts=st.booleans(), productDiscounts=st.booleans(), shippingDiscounts=st.booleans()),
    context=node(
        __typename=st.sampled_from(
            ["DiscountBuyerSelectionAll", "DiscountCustomers", "DiscountMarkets", "DiscountNew"]
        )
    ),
    codes=connections(node(code=TEXT), 5),
    codesCount=COUNT,
    usageLimit=INT,
    appliesOncePerCustomer=st.booleans(),
    appliesOnOneTimePurchase=st.booleans(),
    appliesOnSubscription=st.booleans(),
    minimumRequirement=node(greaterThanOrEqualToSubtotal=MONEY) | node(greaterThanOrEqualToQuantity=UNSIGNED),
    customerGets=node(
        items=ITEMS,
        value=GIVES | node(quantity=node(quantity=UNSIGNED), effect=GIVES),
        appliesOnOneTimePurchase=st.booleans(),
    ),
    customerBuys=node(items=ITEMS, value=node(quantity=UNSIGNED) | node(amount=AMOUNT | FLOAT)),
    usesPerOrderLimit=INT,
    maximumShippingPrice=MONEY,
    destinationSelection=node(__typename=st.just("DiscountCountryAll"), allCountries=st.booleans())
    | node(countries=st.lists(st.sampled_from(["DE", "AT", "ZZ"]), max_size=3), includeRestOfWorld=st.booleans()),
    appDiscountType=node(title=TEXT),
    incomplete=INCOMPLETE,
)
TYPENAMES = [
    f"Discount{how}{kind}" for how in ("Code", "Automatic") for kind in ("Basic", "Bxgy", "FreeShipping", "App")
]


@st.composite
def discounts(draw, typenames=(*TYPENAMES, "DiscountCodeNovelty")):
    """A discount of a known type, for the most part."""
    raw = {"id": draw(gids("DiscountCodeNode")), "incomplete": draw(maybe(INCOMPLETE))}
    return raw | {"discount": draw(DISCOUNT_NODE) | {"__typename": draw(st.sampled_from(typenames))}}


@st.composite
def products(draw):
    """A product with at least one variant that can be sold, for the most part."""
    raw = draw(PRODUCT) | {"id": draw(gids("Product"))}
    if draw(st.booleans()):
        good = {
            "id": "gid://shopify/ProductVariant/1",
            "price": draw(st.sampled_from(["10.0", "1E+2", "0", "0.125"])),
        }
        raw["variants"] = [draw(VARIANT) | good, *draw(st.lists(maybe(VARIANT), max_size=2))]
    return raw


SHOP = node(
    shop=node(
        id=gids("Shop"),
        name=TEXT,
        myshopifyDomain=st.sampled_from(["a.myshopify.com", "A-1.myshopify.com", "a.example", ""]),
        primaryDomain=node(url=URL),
        currencyCode=CURRENCY,
        ianaTimezone=TEXT,
        taxesIncluded=st.booleans(),
        shopAddress=node(countryCodeV2=st.sampled_from(["DE", "ZZ"])),
    ),
    policies=st.lists(node(type=st.sampled_from(["REFUND_POLICY", "NEW_POLICY"]), title=TEXT, url=URL), max_size=3),
    locales=st.lists(node(locale=TEXT, primary=st.booleans()), max_size=3),
)
LOCATION = node(
    id=gids("Location"),
    name=TEXT,
    isActive=st.booleans(),
    fulfillsOnlineOrders=st.booleans(),
    address=node(city=TEXT, countryCode=TEXT),
)
