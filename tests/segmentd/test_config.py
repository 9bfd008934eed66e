"""The configuration: what a right one becomes, and one exact sentence for every wrong one."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from fake_connectors import ListsSettings, ShopSettings
from segmentd.config import Config, Shop, Web, load_config
from segmentd.domain.errors import ConfigError
from segmentd.domain.ledger import Guard
from segmentd.domain.segments import PushTo, Segment
from segmentd.logs import redact

pytestmark = pytest.mark.usefixtures("fake_connectors")

SHOP = '[sources.main]\nconnector = "shop"\nshop = "a.example"\n'
TAGS = '[destinations.tags]\nconnector = "shop"\nsource = "main"\n'
LISTS = '[destinations.news]\nconnector = "lists"\n'
VIP = '[segments.vip]\nwhere = "number_of_orders > 5"\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory; ${KNOWN} is set, ${EMPTY} to nothing, and ${UNKNOWN} is not."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEGMENTD_CONFIG", raising=False)
    monkeypatch.delenv("UNKNOWN", raising=False)
    monkeypatch.setenv("KNOWN", "b.example")
    monkeypatch.setenv("EMPTY", "")
    return tmp_path


def load(text: str) -> Config:
    """The configuration of ``text`` as ``segmentd.toml`` of the working directory."""
    Path("segmentd.toml").write_text(text, encoding="utf-8")
    return load_config()


def test_a_whole_configuration(folder: Path) -> None:
    config = load(
        'paused = true\n[store]\nurl = "postgresql+psycopg://me@db/shop"\nlease = "20s"\n'
        '[shop]\ntime_zone = "Europe/Berlin"\ncurrency = "EUR"\nweek_start = "sunday"\n'
        "[web]\nport = 0\n[guard]\nfloor = 5\nshare_of_all = 0.5\n"
        + SHOP
        + 'token_env = "T"\nevery = "2m"\n'
        + TAGS
        + LISTS
        + 'api_key_env = "K"\n'
        + VIP
        + 'title = "VIP"\npush = ["tags", { to = "news", list = "Best", restore = true }]\n'
    )
    assert config.paused
    assert config.store_url == "postgresql+psycopg://me@db/shop"
    assert config.lease == timedelta(seconds=20)
    assert config.shop == Shop("Europe/Berlin", "EUR", week_start=6)
    assert config.web == Web("127.0.0.1", 0)
    assert config.guard == Guard(5, 0.2, 0.5)
    assert config.sources["main"].every == timedelta(minutes=2)
    assert config.sources["main"].settings == ShopSettings(shop="a.example", token_env="T")
    assert config.destinations["news"].settings == ListsSettings(api_key_env="K")
    assert config.segments == (
        Segment(
            "vip",
            "VIP",
            "number_of_orders > 5",
            (PushTo("tags", "VIP"), PushTo("news", "Best", restore=True)),
        ),
    )


def test_defaults(folder: Path) -> None:
    config = load(SHOP + VIP)
    assert config.store_url == f"sqlite:///{folder}/segmentd.db"
    assert config.lease == timedelta(seconds=60)
    assert config.web == Web("127.0.0.1", 8090)
    assert config.guard == Guard()
    assert not config.paused
    assert config.sources["main"].every == timedelta(minutes=5)
    assert config.segments[0].title == "vip"


def test_a_destination_shares_the_settings_of_its_source(folder: Path) -> None:
    config = load(SHOP + 'token_env = "T"\nevery = "1h"\n' + TAGS + 'auth = "query"\n')
    tags = config.destinations["tags"]
    assert tags.settings == ShopSettings(shop="a.example", token_env="T", auth="query")
    assert (tags.source, tags.every) == ("main", None)


def test_values_from_the_environment(folder: Path) -> None:
    config = load(
        '[sources.main]\nconnector = "shop"\nshop = "shop-${KNOWN}"\ncron = "5 4 * * sun"\n'
    )
    assert config.sources["main"].settings == ShopSettings(shop="shop-b.example")
    assert (config.sources["main"].cron, config.sources["main"].every) == ("5 4 * * sun", None)


def test_the_web_server_can_be_off(folder: Path) -> None:
    assert load("[web]\nenabled = false\n").web is None


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg"])
def test_a_database_on_a_server(folder: Path, scheme: str) -> None:
    url = f"{scheme}://me:${{KNOWN}}@db/shop?sslmode=require"
    assert load(f'[store]\nurl = "{url}"\n').store_url == url.replace("${KNOWN}", "b.example")


def test_included_segments_come_behind_and_in_order_of_their_files(folder: Path) -> None:
    (folder / "more").mkdir()
    for name in ("b", "a"):
        (folder / "more" / f"{name}.toml").write_text(f'[segments.{name}]\nwhere = "x > 1"\n')
    config = load('include = ["more/*.toml"]\n' + VIP)
    assert [segment.key for segment in config.segments] == ["vip", "a", "b"]


def test_paths_count_from_the_folder_of_the_file(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "token").touch(mode=0o600)
    (folder / "segmentd.toml").write_text(
        '[store]\nurl = "sqlite:///data/x.db"\n' + SHOP + 'token_file = "token"\n' + TAGS
    )
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    config = load_config(folder / "segmentd.toml")
    assert config.store_url == f"sqlite:///{folder}/data/x.db"
    for connector in (config.sources["main"], config.destinations["tags"]):
        assert connector.settings == ShopSettings(shop="a.example", token_file=folder / "token")


def test_the_environment_names_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "other.toml").write_text("paused = true")
    load("paused = false")
    monkeypatch.setenv("SEGMENTD_CONFIG", "other.toml")
    assert load_config().paused
    assert not load_config(Path("segmentd.toml")).paused


WRONG = {
    # the file as a whole
    "invalid TOML": (
        "[store]\nurl = sqlite\n",
        "segmentd.toml is no valid TOML: invalid value (at line 2, column 7)",
    ),
    "the same table twice": (
        VIP + VIP,
        "segmentd.toml is no valid TOML: cannot declare ('segments', 'vip') twice "
        "(at line 3, column 14)",
    ),
    "misspelt top table": (
        "[source.main]\n",
        'segmentd.toml: no table or key is called "source"; did you mean "sources"?',
    ),
    "unknown top key": (
        "zzz = 1\n",
        'segmentd.toml: no table or key is called "zzz"; known: conditions, destinations, guard, '
        "include, paused, segments, sets, shop, sources, store, variables, web",
    ),
    "a table that is a value": ("store = 5\n", "segmentd.toml: [store] must be a table"),
    "a source that is a value": (
        "sources = { main = 5 }\n",
        "segmentd.toml: [sources.main] must be a table",
    ),
    "paused as text": (
        'paused = "no"\n',
        'segmentd.toml: key "paused" must be true or false',
    ),
    # store, shop, web, guard
    "misspelt store key": (
        '[store]\nulr = "sqlite:///x.db"\n',
        'segmentd.toml: [store] has no key "ulr"; did you mean "url"?',
    ),
    "database in memory": (
        '[store]\nurl = "sqlite:///:memory:"\n',
        'segmentd.toml: [store] key "url": the database must be sqlite:///FILE or '
        "postgresql://HOST/DATABASE",
    ),
    "database of another make": (
        '[store]\nurl = "mysql://me:secret@db/shop"\n',
        'segmentd.toml: [store] key "url": the database must be sqlite:///FILE or '
        "postgresql://HOST/DATABASE",
    ),
    "database at a port in words": (
        '[store]\nurl = "postgresql://db:five/shop"\n',
        'segmentd.toml: [store] key "url": the database must be sqlite:///FILE or '
        "postgresql://HOST/DATABASE",
    ),
    "variable that is not set": (
        '[store]\nurl = "${UNKNOWN}"\n',
        'segmentd.toml: [store] key "url": the environment variable of ${UNKNOWN} is not set',
    ),
    "bad time zone": (
        '[shop]\ntime_zone = "Europe/Berln"\n',
        'segmentd.toml: [shop] key "time_zone": "Europe/Berln" is no time zone; '
        'did you mean "Europe/Berlin"?',
    ),
    "bad currency": (
        '[shop]\ncurrency = "euro"\n',
        'segmentd.toml: [shop] key "currency": "euro" is no currency code; write for example EUR',
    ),
    "lease that no run keeps": (
        '[store]\nlease = "100ms"\n',
        'segmentd.toml: [store] key "lease": must be between 2s and 1h; the default is 60s',
    ),
    "port as text": (
        '[web]\nport = "health"\n',
        'segmentd.toml: [web] key "port" must be a whole number',
    ),
    "host that a variable left empty": (
        '[web]\nhost = "${EMPTY}"\n',
        'segmentd.toml: [web] key "host" must not be empty',
    ),
    "port too high": (
        "[web]\nport = 70000\n",
        'segmentd.toml: [web] key "port" must be at most 65535',
    ),
    "share above one": (
        "[guard]\nshare_of_name = 20\n",
        'segmentd.toml: [guard] key "share_of_name" must be at most 1.0',
    ),
    "negative floor": (
        "[guard]\nfloor = -1\n",
        'segmentd.toml: [guard] key "floor" must be at least 0',
    ),
    # sources
    "no connector": (
        '[sources.main]\nshop = "a.example"\n',
        'segmentd.toml: [sources.main] key "connector" is missing',
    ),
    "connector of a wrong type": (
        "[sources.main]\nconnector = 1\n",
        'segmentd.toml: [sources.main] key "connector" must be a text in quotes',
    ),
    "unknown connector": (
        '[sources.main]\nconnector = "shopp"\n',
        'segmentd.toml: [sources.main] key "connector": no source connector is called "shopp"; '
        'did you mean "shop"?',
    ),
    "connector that cannot be loaded": (
        '[sources.main]\nconnector = "broken"\n',
        'segmentd.toml: [sources.main] key "connector": the source connector "broken" '
        "(module_that_is_not_there:Source) cannot be loaded: "
        "ModuleNotFoundError: No module named 'module_that_is_not_there'",
    ),
    "connector that is none": (
        '[sources.main]\nconnector = "absurd"\n',
        'segmentd.toml: [sources.main] key "connector": the source connector "absurd" '
        "(fake_connectors:NOT_A_CLASS) is no Source class",
    ),
    "secret as a value": (
        SHOP + 'token = "shpat_1234"\n',
        'segmentd.toml: [sources.main] has no key "token"; did you mean "token_env"?',
    ),
    "misspelt schedule": (
        SHOP + 'evry = "2m"\n',
        'segmentd.toml: [sources.main] has no key "evry"; did you mean "every"?',
    ),
    "missing setting": (
        '[sources.main]\nconnector = "shop"\n',
        'segmentd.toml: [sources.main] key "shop" is missing',
    ),
    "missing because misspelt": (
        '[sources.main]\nconnector = "shop"\nshp = "a.example"\n',
        'segmentd.toml: [sources.main] has no key "shp"; did you mean "shop"?',
    ),
    "setting of a wrong type": (
        SHOP + "page = [1]\n",
        'segmentd.toml: [sources.main] key "page" must be a whole number',
    ),
    "flag of a wrong type": (
        SHOP + 'allow_insecure_http = "perhaps"\n',
        'segmentd.toml: [sources.main] key "allow_insecure_http" must be true or false',
    ),
    "setting that is none of a few": (
        SHOP + 'auth = "digest"\n',
        "segmentd.toml: [sources.main] key \"auth\" must be 'basic' or 'query'",
    ),
    "setting of another form": (
        SHOP + 'version = "newest"\n',
        'segmentd.toml: [sources.main] key "version" must look like 2026-10',
    ),
    "setting that is too long": (
        SHOP + 'version = "2026-1000"\n',
        'segmentd.toml: [sources.main] key "version" is wrong: '
        "string should have at most 7 characters",
    ),
    "setting that the connector refuses": (
        '[sources.main]\nconnector = "shop"\nshop = "myshop"\n',
        'segmentd.toml: [sources.main] "myshop" is no shop',
    ),
    "bad duration": (
        SHOP + 'every = "2 minutes"\n',
        "segmentd.toml: [sources.main] key \"every\": '2 minutes' is no duration; "
        "write for example 30s, 2m, 1h or 1d",
    ),
    "bad duration of a connector": (
        SHOP + "lag = 5\n",
        'segmentd.toml: [sources.main] key "lag": 5 is no duration; '
        "write for example 30s, 2m, 1h or 1d",
    ),
    "no time between": (
        SHOP + 'every = "0s"\n',
        'segmentd.toml: [sources.main] "every" must be at least 1s',
    ),
    "milliseconds for minutes": (
        SHOP + 'every = "2ms"\n',
        'segmentd.toml: [sources.main] "every" must be at least 1s',
    ),
    "interval and cron": (
        SHOP + 'every = "2m"\ncron = "* * * * *"\n',
        'segmentd.toml: [sources.main] has both "every" and "cron"; keep one of them',
    ),
    "cron line too short": (
        SHOP + 'cron = "*/5 * * *"\n',
        'segmentd.toml: [sources.main] cron = "*/5 * * *" is no schedule: '
        "it needs five fields, for example */5 * * * *",
    ),
    "steps of nothing": (
        SHOP + 'cron = "*/0 * * * *"\n',
        'segmentd.toml: [sources.main] cron = "*/0 * * * *" is no schedule: '
        "Increment must be higher than 0",
    ),
    "steps longer than an hour": (
        SHOP + 'cron = "*/90 * * * *"\n',
        'segmentd.toml: [sources.main] cron = "*/90 * * * *" is no schedule: Error validating '
        "expression '*/90': the step value (90) is higher than the total range of the expression "
        "(59)",
    ),
    "hour that no day has": (
        SHOP + 'cron = "0 24 * * *"\n',
        'segmentd.toml: [sources.main] cron = "0 24 * * *" is no schedule: Error validating '
        "expression '24': the last value (24) is higher than the maximum value (23)",
    ),
    "day that no year has": (
        SHOP + 'cron = "0 0 31 2 *"\n',
        'segmentd.toml: [sources.main] cron = "0 0 31 2 *" is no schedule: that day never comes',
    ),
    # destinations
    "unknown source of a destination": (
        SHOP + '[destinations.tags]\nconnector = "shop"\nsource = "mian"\n',
        'segmentd.toml: [destinations.tags] key "source": no source is called "mian"; '
        'did you mean "main"?',
    ),
    "source of another platform": (
        '[sources.main]\nconnector = "stall"\nshop = "a.example"\n' + TAGS,
        'segmentd.toml: [destinations.tags] key "source": [sources.main] is a stall shop, '
        "this is a shop one",
    ),
    "tags without a shop": (
        SHOP + '[destinations.tags]\nconnector = "shop"\nshop = "a.example"\n',
        'segmentd.toml: [destinations.tags] key "source" is missing: '
        "name the source whose customers are to be tagged",
    ),
    "schedule of a destination": (
        LISTS + 'every = "5m"\n',
        'segmentd.toml: [destinations.news] has no key "every"; known: allow_insecure_http, '
        "api_key_env, api_key_file, base_url, connector, source",
    ),
    # segments
    "no rule": (
        "[segments.vip]\n",
        'segmentd.toml: [segments.vip] key "where" is missing',
    ),
    "empty rule": (
        '[segments.vip]\nwhere = ""\n',
        'segmentd.toml: [segments.vip] key "where" must not be empty',
    ),
    "rule as a number": (
        "[segments.vip]\nwhere = 5\n",
        'segmentd.toml: [segments.vip] key "where" must be a text in quotes',
    ),
    "misspelt segment key": (
        VIP + 'titel = "VIP"\n',
        'segmentd.toml: [segments.vip] has no key "titel"; did you mean "title"?',
    ),
    "segment with blanks": (
        '[segments."very good"]\nwhere = "x > 1"\n',
        "segmentd.toml: [segments.very good] must be named by letters, digits, _ and - only",
    ),
    "push to nobody": (
        LISTS + VIP + 'push = ["nws"]\n',
        'segmentd.toml: [segments.vip] key "push": no destination is called "nws"; '
        'did you mean "news"?',
    ),
    "push to nobody in the long form": (
        LISTS + VIP + 'push = [{ to = "nws", list = "VIP" }]\n',
        'segmentd.toml: [segments.vip] key "push": no destination is called "nws"; '
        'did you mean "news"?',
    ),
    "push that is no list": (
        LISTS + VIP + 'push = "news"\n',
        'segmentd.toml: [segments.vip] key "push" must be a list in [ ]',
    ),
    "misspelt push key": (
        LISTS + VIP + 'push = ["news", { to = "news", lst = "VIP" }]\n',
        'segmentd.toml: [segments.vip.push, number 2] has no key "lst"; did you mean "list"?',
    ),
    "tag and list": (
        LISTS + VIP + 'push = [{ to = "news", list = "VIP", tag = "VIP" }]\n',
        'segmentd.toml: [segments.vip.push, number 1] has both "tag" and "list"; keep one of them',
    ),
    "a list where tags are": (
        SHOP + TAGS + VIP + 'push = [{ to = "tags", list = "VIP" }]\n',
        'segmentd.toml: [segments.vip] key "push": "tags" has tags; write tag = "VIP"',
    ),
    "one tag for two segments": (
        SHOP
        + TAGS
        + VIP
        + 'push = ["tags"]\n[segments.best]\ntitle = " Vip "\nwhere = "x > 1"\npush = ["tags"]\n',
        'segmentd.toml: [segments.best] key "push": "Vip" at "tags" is the name of segment "vip" '
        "already",
    ),
    "one tag twice": (
        SHOP + TAGS + VIP + 'push = ["tags", { to = "tags", tag = "VIP" }]\n',
        'segmentd.toml: [segments.vip] key "push": "VIP" at "tags" is the name of segment "vip" '
        "already",
    ),
    # further files
    "include that is no list": (
        'include = "more.toml"\n',
        'segmentd.toml: key "include" must be a list of file names',
    ),
    "include of nothing": (
        'include = ["mroe/*.toml"]\n',
        'segmentd.toml: key "include": no file matches "mroe/*.toml"',
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_one_sentence_for_every_mistake(case: str, folder: Path) -> None:
    text, sentence = WRONG[case]
    with pytest.raises(ConfigError) as caught:
        load(text)
    assert caught.value.message == sentence
    # it is shown whole
    assert redact(sentence) == sentence


def test_a_missing_file_says_what_to_type(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"^there is no segmentd\.toml$") as caught:
        load_config()
    assert caught.value.hint == "segmentd init"


def test_a_folder_is_no_file(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read: Is a directory$"):
        load_config(folder)


def test_a_file_of_another_encoding(folder: Path) -> None:
    (folder / "segmentd.toml").write_bytes('title = "Größe"'.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"^segmentd\.toml is no UTF-8 text: byte 11 is wrong$"):
        load_config()


def test_an_included_file_is_named_in_its_errors(folder: Path) -> None:
    (folder / "more.toml").write_text('[segments.vip]\nwehre = "x > 1"\n')
    with pytest.raises(ConfigError) as caught:
        load('include = ["more.toml"]\n')
    assert caught.value.message == (
        'more.toml: [segments.vip] has no key "wehre"; did you mean "where"?'
    )


def test_a_segment_in_two_files(folder: Path) -> None:
    (folder / "more.toml").write_text(VIP)
    with pytest.raises(
        ConfigError, match=r"^more\.toml: \[segments\.vip\] is in segmentd\.toml al"
    ):
        load('include = ["more.toml"]\n' + VIP)


def test_only_what_is_about_segments_may_be_included(folder: Path) -> None:
    (folder / "more.toml").write_text("paused = true")
    with pytest.raises(ConfigError, match=r'^more\.toml: only segments, .* may be .*not "paused"$'):
        load('include = ["more.toml"]\n')


def test_a_secret_that_everybody_may_read(folder: Path) -> None:
    secret = folder / "token"
    secret.touch()
    secret.chmod(0o644)
    with pytest.raises(ConfigError) as caught:
        load(SHOP + 'token_file = "token"\n')
    assert caught.value.message == (
        'segmentd.toml: [sources.main] key "token_file": everybody may read token; '
        "type chmod 600 token"
    )


def test_a_secret_that_a_container_mounted_may_be_readable(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segmentd.config._MOUNTED_SECRETS", folder)
    secret = folder / "token"
    secret.touch()
    secret.chmod(0o444)
    config = load(SHOP + f'token_file = "{secret}"\n')
    assert config.sources["main"].settings == ShopSettings(shop="a.example", token_file=secret)


def test_a_secret_file_may_come_later(folder: Path) -> None:
    config = load(SHOP + 'token_file = "not-yet"\n')
    with pytest.raises(ConfigError, match=r"cannot read not-yet, named by token_file: .*No such"):
        config.sources["main"].settings.secret("token")


def test_the_value_of_a_variable_is_not_in_the_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KNOWN", "the-password")
    with pytest.raises(ConfigError) as caught:
        load('[store]\nurl = "mysql://me:${KNOWN}@db/shop"\n')
    assert "the-password" not in str(caught.value)
