"""Products and their categories as the API shows them."""

from __future__ import annotations

from urllib.parse import quote

from segmentd_woocommerce.sandbox.documents import Document, escaped, gmt, links, local, money, sku
from segmentd_woocommerce.sandbox.store import ProductRow, Store


def product(row: ProductRow, store: Store, base: str) -> Document:
    """A simple product."""
    created, modified = row.created, row.modified
    home = base.partition("/wp-json")[0]
    slug = slug_of(row.name)
    return {
        "id": row.id,
        "name": escaped(row.name),
        "slug": slug,
        "permalink": f"{home}/product/{slug}/",
        "date_created": local(created, store.zone),
        "date_created_gmt": gmt(created),
        "date_modified": local(modified, store.zone),
        "date_modified_gmt": gmt(modified),
        **_PRODUCT_DEFAULTS,
        "sku": sku(row.id),
        **_prices(row, store),
        "categories": [_term(store, name) for name in row.categories],
        "brands": [_term(store, row.brand)] if row.brand else [],
        "tags": [_term(store, name) for name in row.tags],
        "_links": links(base, "products", row.id),
    }


def _prices(row: ProductRow, store: Store) -> Document:
    """As entered; empty for a product that cannot be bought yet."""
    price = "" if row.price is None else money(row.price, store.currency)
    return {"price": price, "regular_price": price, "purchasable": bool(price)}


def _term(store: Store, name: str) -> Document:
    return {"id": store.term(name), "name": escaped(name), "slug": slug_of(name)}


def category(name: str, store: Store, base: str) -> Document:
    """A product category."""
    count = sum(name in row.categories for row in store.products.rows.values())
    return {
        **_term(store, name),
        "parent": 0,
        "description": "",
        "display": "default",
        "image": None,
        "menu_order": 0,
        "count": count,
        "_links": links(base, "products/categories", store.term(name)),
    }


def slug_of(name: str) -> str:
    """Percent-encoded where it is not ASCII."""
    return quote(name.lower().replace(" ", "-")).lower()


_PRODUCT_DEFAULTS: Document = {
    "type": "simple",
    "status": "publish",
    "featured": False,
    "catalog_visibility": "visible",
    "description": "",
    "short_description": "",
    "sku": "",
    "price": "",
    "regular_price": "",
    "sale_price": "",
    "date_on_sale_from": None,
    "date_on_sale_from_gmt": None,
    "date_on_sale_to": None,
    "date_on_sale_to_gmt": None,
    "on_sale": False,
    "purchasable": True,
    "total_sales": 0,
    "virtual": False,
    "downloadable": False,
    "downloads": [],
    "download_limit": -1,
    "download_expiry": -1,
    "external_url": "",
    "button_text": "",
    "tax_status": "taxable",
    "tax_class": "",
    "manage_stock": False,
    "stock_quantity": None,
    "backorders": "no",
    "backorders_allowed": False,
    "backordered": False,
    "low_stock_amount": None,
    "sold_individually": False,
    "weight": "",
    "dimensions": {"length": "", "width": "", "height": ""},
    "shipping_required": True,
    "shipping_taxable": True,
    "shipping_class": "",
    "shipping_class_id": 0,
    "reviews_allowed": True,
    "average_rating": "0.00",
    "rating_count": 0,
    "upsell_ids": [],
    "cross_sell_ids": [],
    "parent_id": 0,
    "purchase_note": "",
    "categories": [],
    "brands": [],
    "tags": [],
    "images": [],
    "attributes": [],
    "default_attributes": [],
    "variations": [],
    "grouped_products": [],
    "menu_order": 0,
    "price_html": "",
    "related_ids": [],
    "meta_data": [],
    "stock_status": "instock",
    "has_options": False,
    "post_password": "",
    "global_unique_id": "",
}
