//! Every problem of a configuration: line, column, place, text, hint.

use super::{BASE, TABLE, problems, with};

/// For each replacement of `old`: what is found.
fn each(old: &str, news: &[&str]) -> String {
    let found = news.iter().map(|new| format!("{new}\n{}\n", indented(&problems(&with(old, new)))));
    found.collect()
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// The same with a line put before another.
fn before(old: &str, news: &[&str]) -> String {
    let lines: Vec<String> = news.iter().map(|new| format!("{new}\n{old}")).collect();
    each(old, &lines.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn every_missing_section_and_key_is_named_with_a_line_to_add() {
    insta::assert_snapshot!(problems(""), @r##"
    1:1: campaign: `[campaign]` is missing (add `[campaign]`)
    1:1: dynamics: `[dynamics]` is missing (add `[dynamics]`)
    "##);
    insta::assert_snapshot!(problems("[dynamics]\n[campaign]\n[store]\n[ingress]\n[[ingress.table]]\n"), @r##"
    1:1: dynamics: `client_secret` or `certificate` is missing (add `client_secret = { credential = "dynamics-client-secret" }`, or `certificate = { file = "…" }`)
    1:1: dynamics.client_id: `client_id` is missing (add `client_id = "6d0d8c4e-0000-0000-0000-000000000000"`)
    1:1: dynamics.tenant: `tenant` is missing (add `tenant = "contoso.onmicrosoft.com"`)
    1:1: dynamics.url: `url` is missing (add `url = "https://contoso.crm4.dynamics.com"`)
    2:1: campaign.client_id: `client_id` is missing (add `client_id = "0123456789abcdef0123456789abcdef"`)
    2:1: campaign.client_secret: `client_secret` is missing (add `client_secret = { credential = "campaign-client-secret" }`)
    2:1: campaign.organization_id: `organization_id` is missing (add `organization_id = "…@AdobeOrg"`)
    2:1: campaign.url: `url` is missing (add `url = "https://mc.adobe.io/TENANT"`)
    5:1: ingress.table[0].campaign: `campaign` is missing (add `campaign = "profile"`)
    5:1: ingress.table[0].dynamics: `dynamics` is missing (add `dynamics = "contact"`)
    5:1: ingress.table[0].fields: `fields` is missing (add `fields = [ { from = "firstname", to = "firstName" } ]`)
    5:1: ingress.table[0].key: `key` is missing (add `key = { from = "contactid", to = "externalId", filter = "byExternalId", parameter = "externalId_parameter" }`)
    "##);
}

#[test]
fn unknown_keys_are_all_found_with_the_nearest_known_one_or_their_home() {
    insta::assert_snapshot!(before("tenant", &["tenat = \"x\"\nschedule = \"x\"\nrequests = 5\nclient_secrt = 5"]), @r##"
    tenat = "x"
    schedule = "x"
    requests = 5
    client_secrt = 5
    tenant
      3:1: dynamics.tenat: unknown key `tenat` (did you mean `tenant`?)
      4:1: dynamics.schedule: unknown key `schedule` (`schedule` belongs to `[ingress]`; move it there)
      5:1: dynamics.requests: unknown key `requests` (known here: `url`, `tenant`, `client_id`, `client_secret`, `certificate`, `username`, `password`, `authority_url`, `max_in_flight`, `requests_per_5_minutes`, `requests_per_day`, `optout_share`, `page_rows`, `schema_cache`)
      6:1: dynamics.client_secrt: unknown key `client_secrt` (did you mean `client_secret`?)
    "##);
    insta::assert_snapshot!(each("tenant", &["tenat"]), @r##"
    tenat
      3:1: dynamics.tenat: unknown key `tenat` (did you mean `tenant`?)
    "##);
    insta::assert_snapshot!(each("[store]", &["[stroe]", "egress = 1\n[store]"]), @r##"
    [stroe]
      11:2: stroe: unknown key `stroe` (did you mean `store`?)
    egress = 1
    [store]
      11:1: campaign.egress: unknown key `egress` (`egress` belongs to the top of the file, as `[name]`; move it there)
    "##);
    insta::assert_snapshot!(before("fields", &["apply_delete = true\nschedule = \"x\"\nrules = []"]), @r##"
    apply_delete = true
    schedule = "x"
    rules = []
    fields
      17:1: ingress.table[0].apply_delete: unknown key `apply_delete` (did you mean `apply_deletes`?)
      18:1: ingress.table[0].schedule: unknown key `schedule` (`schedule` belongs to `[ingress]`; move it there)
      19:1: ingress.table[0].rules: unknown key `rules` (`rules` belongs to `filter` of `[[ingress.table]]`; move it there)
    "##);
}

#[test]
fn wrong_types_and_ranges_are_all_found() {
    insta::assert_snapshot!(before(
        "organization_id",
        &["requests_per_second = 0\nmax_in_flight = \"8\"\nscopes = [\"a,b\", 5, \"\"]", "scopes = []"]
    ), @r##"
    requests_per_second = 0
    max_in_flight = "8"
    scopes = ["a,b", 5, ""]
    organization_id
      10:23: campaign.requests_per_second: this number is out of range (a whole number from 1 to 10000)
      11:17: campaign.max_in_flight: this is a string, it must be an integer (write a whole number from 1 to 200, without quotes)
      12:11: campaign.scopes[0]: a scope has no comma (one string for each scope that the Developer Console lists, such as `openid`)
      12:18: campaign.scopes[1]: this is an integer, it must be a string (write it in double quotes)
      12:21: campaign.scopes[2]: this is empty (one string for each scope that the Developer Console lists, such as `openid`)
    scopes = []
    organization_id
      10:10: campaign.scopes: no scopes are listed (list those of the Developer Console, or remove the key)
    "##);
    insta::assert_snapshot!(before("organization_id", &["read_back = \"61s\"", "read_back = 5"]), @r##"
    read_back = "61s"
    organization_id
      10:13: campaign.read_back: this is not a time span, or one that is too long (a time span of at most 60 seconds, such as `2s`)
    read_back = 5
    organization_id
      10:13: campaign.read_back: this is an integer, it must be a string (write it in double quotes)
    "##);
    insta::assert_snapshot!(before("tenant", &["max_in_flight = 201\nrequests_per_5_minutes = 100001"]), @r##"
    max_in_flight = 201
    requests_per_5_minutes = 100001
    tenant
      3:17: dynamics.max_in_flight: this number is out of range (a whole number from 1 to 200)
      4:26: dynamics.requests_per_5_minutes: this number is out of range (a whole number from 1 to 100000)
    "##);
    insta::assert_snapshot!(each("\"contoso.onmicrosoft.com\"", &["5", "\"a/b\"", "\"\"", "[]"]), @r##"
    5
      3:10: dynamics.tenant: this is an integer, it must be a string (write it in double quotes)
    "a/b"
      3:10: dynamics.tenant: this is not a tenant (the tenant's id (a GUID) or a verified domain, such as `contoso.onmicrosoft.com`)
    ""
      3:10: dynamics.tenant: this is empty (the tenant's id (a GUID) or a verified domain, such as `contoso.onmicrosoft.com`)
    []
      3:10: dynamics.tenant: this is an array, it must be a string (write it in double quotes)
    "##);
    insta::assert_snapshot!(each("A@AdobeOrg", &["A", "@AdobeOrg", "A B@AdobeOrg"]), @r##"
    A
      10:19: campaign.organization_id: an organization id ends with `@AdobeOrg` (the Developer Console shows it, as in `0123456789ABCDEF01234567@AdobeOrg`)
    @AdobeOrg
      10:19: campaign.organization_id: an organization id ends with `@AdobeOrg` (the Developer Console shows it, as in `0123456789ABCDEF01234567@AdobeOrg`)
    A B@AdobeOrg
      10:19: campaign.organization_id: this has spaces or control characters, or is too long (the Developer Console shows it, as in `0123456789ABCDEF01234567@AdobeOrg`)
    "##);
    insta::assert_snapshot!(each("path = \"cdsync.db\"", &["path = \"\"", "path = \"/var/lib/\""]), @r##"
    path = ""
      12:8: store.path: this is not the path of a file (the database file, as in `/var/lib/cdsync/cdsync.db`)
    path = "/var/lib/"
      12:8: store.path: this is not the path of a file (the database file, as in `/var/lib/cdsync/cdsync.db`)
    "##);
}

#[test]
fn a_base_url_that_could_leak_or_mislead_is_refused() {
    insta::assert_snapshot!(each(
        "https://contoso.crm4.dynamics.com",
        &[
            "http://contoso.crm4.dynamics.com",
            "http://10.0.0.1",
            "http://localhost.evil.example",
            "http://[::2]",
            "ftp://x",
            "nonsense",
            "https://user:word@h/",
            "https://h/?a=1",
            "https://h/#a",
            "https://h/api/data/v9.2/",
            "https://h/x",
        ]
    ), @r##"
    http://contoso.crm4.dynamics.com
      2:7: dynamics.url: `http://` is refused for an address that is not loopback: tokens and personal data would travel in clear (write `https://`)
    http://10.0.0.1
      2:7: dynamics.url: `http://` is refused for an address that is not loopback: tokens and personal data would travel in clear (write `https://`)
    http://localhost.evil.example
      2:7: dynamics.url: `http://` is refused for an address that is not loopback: tokens and personal data would travel in clear (write `https://`)
    http://[::2]
      2:7: dynamics.url: `http://` is refused for an address that is not loopback: tokens and personal data would travel in clear (write `https://`)
    ftp://x
      2:7: dynamics.url: only `https://` is spoken (write `https://`)
    nonsense
      2:7: dynamics.url: this is not a URL (write scheme and host, as in `https://contoso.crm4.dynamics.com`)
    https://user:word@h/
      2:7: dynamics.url: user information may not stand in a URL (remove the part before `@`; credentials have their own keys)
    https://h/?a=1
      2:7: dynamics.url: a query or fragment may not stand here (remove `?…` and `#…`)
    https://h/#a
      2:7: dynamics.url: a query or fragment may not stand here (remove `?…` and `#…`)
    https://h/api/data/v9.2/
      2:7: dynamics.url: the URL already ends with `/api/data/v9.2`, which cdsync appends (remove `/api/data/v9.2`)
    https://h/x
      2:7: dynamics.url: the environment's address has no path (only scheme and host, as in `https://contoso.crm4.dynamics.com`)
    "##);
    insta::assert_snapshot!(each("https://mc.adobe.io/contoso", &["https://mc.adobe.io", "https://mc.adobe.io/contoso/campaign/"]), @r##"
    https://mc.adobe.io
      7:7: campaign.url: the tenant is missing (append it, as in `https://mc.adobe.io/contoso` or, for stage, `https://mc.adobe.io/contoso-mkt-stage`)
    https://mc.adobe.io/contoso/campaign/
      7:7: campaign.url: the URL already ends with `/campaign`, which cdsync appends (remove `/campaign`)
    "##);
}

#[test]
fn credentials_that_exclude_or_need_each_other_are_named() {
    let secret = "client_secret = { env = \"DYNAMICS_SECRET\" }";
    insta::assert_snapshot!(each(secret, &["", "certificat = { file = \"x\" }"]), @r##"

      1:1: dynamics: `client_secret` or `certificate` is missing (add `client_secret = { credential = "dynamics-client-secret" }`, or `certificate = { file = "…" }`)
    certificat = { file = "x" }
      5:1: dynamics.certificat: unknown key `certificat` (did you mean `certificate`?)
    "##);
    insta::assert_snapshot!(before(
        "tenant",
        &["certificate = { file = \"x\" }", "username = \"x\"", "password = { env = \"X\" }"]
    ), @r##"
    certificate = { file = "x" }
    tenant
      3:1: dynamics.certificate: `client_secret` and `certificate` exclude each other (remove one of the two)
    username = "x"
    tenant
      3:1: dynamics.username: `username` needs `password` (add `password = { credential = "dynamics-password" }`, or remove `username`)
    password = { env = "X" }
    tenant
      3:1: dynamics.password: `password` needs `username` (add `username = "…"`, or remove `password`)
    "##);
}

#[test]
fn ingress_problems_are_placed() {
    insta::assert_snapshot!(before(
        "[[ingress.table]]",
        &[
            "[ingress]\nschedule = \"0 25 * * *\"\ntime_zone = \"Europe/Berlim\"",
            "[ingress]\nschedule = 5\ntime_zone = \"Nowhere\"",
        ]
    ), @r##"
    [ingress]
    schedule = "0 25 * * *"
    time_zone = "Europe/Berlim"
    [[ingress.table]]
      14:12: ingress.schedule: the hour field `25` is not valid; it takes 0-23, `*`, lists `a,b`, ranges `a-b` and steps `*/n` (as in `*/15 * * * * *` (every 15 seconds) or `0 6 * * 1-5` (06:00 from Monday to Friday))
      15:13: ingress.time_zone: there is no time zone `Europe/Berlim` (did you mean `Europe/Berlin`?)
    [ingress]
    schedule = 5
    time_zone = "Nowhere"
    [[ingress.table]]
      14:12: ingress.schedule: this is an integer, it must be a string (write it in double quotes)
      15:13: ingress.time_zone: there is no time zone `Nowhere` (an IANA name, such as `Europe/Berlin` or `UTC`)
    "##);
    insta::assert_snapshot!(problems(&format!("{BASE}[ingress]\n")), @r##"13:1: ingress: `[ingress]` maps no table (add a `[[ingress.table]]`, or remove `[ingress]`; `cdsync init --from-metadata` writes one)"##);
    insta::assert_snapshot!(problems(&format!("{BASE}{TABLE}{TABLE}")), @r##"
    19:12: ingress.table[1].dynamics: the table `contact` is mapped twice, first in `ingress.table[0]` (each table and each resource has one mapping: join the two)
    20:12: ingress.table[1].campaign: the resource `profile` is mapped twice, first in `ingress.table[0]` (each table and each resource has one mapping: join the two)
    "##);
}

#[test]
fn a_key_says_how_the_record_is_found_and_only_once() {
    insta::assert_snapshot!(each(
        "{ from = \"contactid\", to = \"externalId\", filter = \"byExternalId\", parameter = \"externalId_parameter\" }",
        &[
            "{ from = \"a\", to = \"b\" }",
            "{ from = \"a\", to = \"b\", in_uri = false }",
            "{ from = \"a\", to = \"b\", filter = \"x\" }",
            "{ from = \"a\", to = \"b\", parameter = \"x\" }",
            "{ from = \"a\", to = \"b\", parameter = \"x\", filter = \"y\", in_uri = true }",
            "{ from = \"a\", to = \"b\", parameter = \"x?\", filter = \"y/z\" }",
            "\"a\"",
        ]
    ), @r##"
    { from = "a", to = "b" }
      16:7: ingress.table[0].key: the key does not say how Campaign finds the record (add `filter = "by…", parameter = "…_parameter"`, or `in_uri = true` where the resource has a one-field identification key)
    { from = "a", to = "b", in_uri = false }
      16:7: ingress.table[0].key: the key does not say how Campaign finds the record (add `filter = "by…", parameter = "…_parameter"`, or `in_uri = true` where the resource has a one-field identification key)
    { from = "a", to = "b", filter = "x" }
      16:7: ingress.table[0].key: `filter` needs `parameter` (add the parameter that the filter takes, as in `parameter = "externalId_parameter"`)
    { from = "a", to = "b", parameter = "x" }
      16:7: ingress.table[0].key: `parameter` needs `filter` (add the filter that takes it, as in `filter = "byExternalId"`)
    { from = "a", to = "b", parameter = "x", filter = "y", in_uri = true }
      16:62: ingress.table[0].key.in_uri: `in_uri = true` and `filter` with `parameter` exclude each other (remove `filter` and `parameter` if the resource has a one-field identification key, else remove `in_uri`)
    { from = "a", to = "b", parameter = "x?", filter = "y/z" }
      16:43: ingress.table[0].key.parameter: `x?` is not a name: a letter or underscore, then at most 127 letters, digits or underscores (the parameter's name, such as `externalId_parameter`)
      16:58: ingress.table[0].key.filter: `y/z` is not a name: a letter or underscore, then at most 127 letters, digits or underscores (the filter's API name, such as `byExternalId`)
    "a"
      16:7: ingress.table[0].key: this is a string, it must be a table (write it in braces, with the keys `from`, `to`, `in_uri`, `filter`, `parameter`)
    "##);
}

#[test]
fn two_values_for_one_campaign_field_are_refused() {
    insta::assert_snapshot!(each(
        "[ { from = \"firstname\", to = \"firstName\" } ]",
        &[
            "[ { from = \"a\", to = \"externalId\" } ]",
            "[ { from = \"a\", to = \"x\" }, { from = \"b\", to = \"x\" } ]",
            "[ { from = \"a\", to = \"denyListEmail\" }, { from = \"b\", to = \"blackListEmail\" } ]",
        ]
    ), @r##"
    [ { from = "a", to = "externalId" } ]
      17:31: ingress.table[0].fields[0].to: `externalId` is the key's field already (remove this entry; the key is always written)
    [ { from = "a", to = "x" }, { from = "b", to = "x" } ]
      17:57: ingress.table[0].fields[1].to: the field `x` is mapped twice, first in `ingress.table[0].fields[0]` (a Campaign field takes its value from one column: remove one of the two)
    [ { from = "a", to = "denyListEmail" }, { from = "b", to = "blackListEmail" } ]
      17:69: ingress.table[0].fields[1].to: the field `blackListEmail` is mapped twice, first in `ingress.table[0].fields[0]` (a Campaign field takes its value from one column: remove one of the two)
    "##);
}

#[test]
fn every_option_of_a_field_is_checked() {
    insta::assert_snapshot!(each(
        "[ { from = \"firstname\", to = \"firstName\" } ]",
        &[
            "[ { from = \"a b\", too = \"x\" } ]",
            "[ { from = \"a\", to = \"b\", on_null = \"kep\", on_too_long = \"truncate\", updates = \"no\" } ]",
            "[ { from = \"a\", to = \"b\", picklists = 1, time_zone = 2, on_empty = \"CLEAR\" } ]",
            "[ { from = \"a\", to = \"b\", replace = [ { value = \"x\", with = \"y\" }, { value = \"x\" }, { value = \"1\", with = 1.5 }, { value = \"x\", with = 1 } ] } ]",
            "{}",
        ]
    ), @r##"
    [ { from = "a b", too = "x" } ]
      17:21: ingress.table[0].fields[0].from: `a b` is not a name: a letter or underscore, then at most 127 letters, digits or underscores (the column's logical name, such as `emailaddress1`)
      17:28: ingress.table[0].fields[0].too: unknown key `too` (did you mean `to`?)
    [ { from = "a", to = "b", on_null = "kep", on_too_long = "truncate", updates = "no" } ]
      17:46: ingress.table[0].fields[0].on_null: `kep` is not known here (did you mean `keep`? one of `clear`, `keep`)
      17:67: ingress.table[0].fields[0].on_too_long: `truncate` is not known here (one of `fail`, `cut`)
      17:89: ingress.table[0].fields[0].updates: this is a string, it must be a boolean (write `true` or `false`, without quotes)
    [ { from = "a", to = "b", picklists = 1, time_zone = 2, on_empty = "CLEAR" } ]
      17:48: ingress.table[0].fields[0].picklists: this is an integer, it must be a string (write it in double quotes)
      17:63: ingress.table[0].fields[0].time_zone: this is an integer, it must be a string (write it in double quotes)
      17:77: ingress.table[0].fields[0].on_empty: `CLEAR` is not known here (did you mean `clear`? one of `clear`, `keep`)
    [ { from = "a", to = "b", replace = [ { value = "x", with = "y" }, { value = "x" }, { value = "1", with = 1.5 }, { value = "x", with = 1 } ] } ]
      17:77: ingress.table[0].fields[0].replace[1].with: `with` is missing (add `with = "male"`)
      17:116: ingress.table[0].fields[0].replace[2].with: this is a float, it must be a string (write it in double quotes)
      17:123: ingress.table[0].fields[0].replace[3]: this value is replaced already, in `ingress.table[0].fields[0].replace[0]` (remove one of the two)
    {}
      17:10: ingress.table[0].fields: this is a table, it must be an array (write it in brackets: `[ … ]`)
    "##);
}

#[test]
fn every_option_of_a_table_is_checked() {
    insta::assert_snapshot!(before(
        "fields",
        &[
            "delete_guard = {}",
            "delete_guard = { rows = -1, percent = 101 }",
            "delete_guard = { percent = nan }",
            "language = 0\npicklists = \"labels\"\napply_deletes = 1\ntracking = \"dif\"",
        ]
    ), @r##"
    delete_guard = {}
    fields
      17:16: ingress.table[0].delete_guard: an empty guard holds nothing back (write `{ rows = 1000, percent = 5 }`, either or both; or remove `delete_guard`)
    delete_guard = { rows = -1, percent = 101 }
    fields
      17:25: ingress.table[0].delete_guard.rows: this number is out of range (a whole number from 0 to 1000000000000)
      17:39: ingress.table[0].delete_guard.percent: this is not a percentage (a number from 0 to 100, such as `5` or `0.5`)
    delete_guard = { percent = nan }
    fields
      17:28: ingress.table[0].delete_guard.percent: this is not a percentage (a number from 0 to 100, such as `5` or `0.5`)
    language = 0
    picklists = "labels"
    apply_deletes = 1
    tracking = "dif"
    fields
      17:12: ingress.table[0].language: this number is out of range (a whole number from 1 to 1048575)
      18:13: ingress.table[0].picklists: `labels` is not known here (did you mean `label`? one of `label`, `value`)
      19:17: ingress.table[0].apply_deletes: this is an integer, it must be a boolean (write `true` or `false`, without quotes)
      20:12: ingress.table[0].tracking: `dif` is not known here (did you mean `diff`? one of `changes`, `diff`)
    "##);
}

#[test]
fn a_filter_takes_known_comparisons_with_fitting_values() {
    insta::assert_snapshot!(before(
        "fields",
        &[
            "filter = {}",
            "filter = { rules = [] }",
            "filter = { match = \"some\", rules = [ { column = \"a\", is = \"equals\", value = 1 } ] }",
            "filter = { rules = [ { column = \"a\", is = \"begins_with\", value = 1 }, { column = \"a\", is = \"begins-with\", value = 1 } ] }",
            "filter = { rules = [ { column = \"a\", is = \"null\", value = 1 }, { column = \"a\", is = \"eq\" } ] }",
            "filter = { rules = [ { column = \"a\", is = \"in\", value = 1 }, { column = \"a\", is = \"in\", value = [] } ] }",
            "filter = { rules = [ { column = \"a\", is = \"eq\", value = [1] }, { column = \"a\", is = \"gt\", value = true } ] }",
            "filter = { rules = [ { column = \"a\", is = \"eq\", value = nan }, { rules = [ 5 ], column = \"x\" } ] }",
        ]
    ), @r##"
    filter = {}
    fields
      17:10: ingress.table[0].filter.rules: `rules` is missing (add `rules = [ { column = "statecode", is = "eq", value = 0 } ]`)
    filter = { rules = [] }
    fields
      17:20: ingress.table[0].filter.rules: a group without rules says nothing (add a rule, as in `{ column = "statecode", is = "eq", value = 0 }`, or remove the group)
    filter = { match = "some", rules = [ { column = "a", is = "equals", value = 1 } ] }
    fields
      17:20: ingress.table[0].filter.match: `some` is not known here (one of `all`, `any`)
      17:59: ingress.table[0].filter.rules[0].is: `equals` is not known here (one of `eq`, `ne`, `gt`, `ge`, `lt`, `le`, `contains`, `begins-with`, `ends-with`, `in`, `null`, `not-null`)
    filter = { rules = [ { column = "a", is = "begins_with", value = 1 }, { column = "a", is = "begins-with", value = 1 } ] }
    fields
      17:43: ingress.table[0].filter.rules[0].is: `begins_with` is not known here (did you mean `begins-with`? one of `eq`, `ne`, `gt`, `ge`, `lt`, `le`, `contains`, `begins-with`, `ends-with`, `in`, `null`, `not-null`)
      17:115: ingress.table[0].filter.rules[1].value: this is an integer, it must be a string (write it in double quotes)
    filter = { rules = [ { column = "a", is = "null", value = 1 }, { column = "a", is = "eq" } ] }
    fields
      17:51: ingress.table[0].filter.rules[0].value: `null` and `not-null` take no `value` (remove `value`)
      17:64: ingress.table[0].filter.rules[1].value: `value` is missing (add `value = 0`)
    filter = { rules = [ { column = "a", is = "in", value = 1 }, { column = "a", is = "in", value = [] } ] }
    fields
      17:57: ingress.table[0].filter.rules[0].value: this is an integer, it must be an array (write it in brackets: `[ … ]`)
      17:89: ingress.table[0].filter.rules[1].value: `in` with an empty list matches nothing (list at least one value)
    filter = { rules = [ { column = "a", is = "eq", value = [1] }, { column = "a", is = "gt", value = true } ] }
    fields
      17:57: ingress.table[0].filter.rules[0].value: only `in` takes a list (write one value, or `is = "in"`)
      17:99: ingress.table[0].filter.rules[1].value: a boolean is neither greater nor smaller (compare with `eq` or `ne`, or write a number, text or date)
    filter = { rules = [ { column = "a", is = "eq", value = nan }, { rules = [ 5 ], column = "x" } ] }
    fields
      17:57: ingress.table[0].filter.rules[0].value: this cannot be compared with a column (write a string, a number, a boolean or a date)
      17:76: ingress.table[0].filter.rules[1].rules[0]: this is an integer, it must be a table (write it in braces, with the keys `column`, `is`, `value`)
      17:81: ingress.table[0].filter.rules[1].column: unknown key `column` (known here: `match`, `rules`)
    "##);
}

#[test]
fn metrics_are_served_at_an_address_with_a_port() {
    insta::assert_snapshot!(before(
        "[[ingress.table]]",
        &[
            "[metrics]\nlisten = 9464",
            "[metrics]\nlisten = \"localhost\"",
            "[metrics]\nlisten = \"127.0.0.1\"",
            "[metrics]\nlisten = \"127.0.0.1:99999\"",
            "[metrics]\nlisten = \"127.0.0.1:9464\"\npath = \"/metrics\"",
        ]
    ), @r##"
    [metrics]
    listen = 9464
    [[ingress.table]]
      14:10: metrics.listen: this is an integer, it must be a string (write it in double quotes)
    [metrics]
    listen = "localhost"
    [[ingress.table]]
      14:10: metrics.listen: this is not an address with a port (an IP address and a port, as in `127.0.0.1:9464` or `[::1]:9464`)
    [metrics]
    listen = "127.0.0.1"
    [[ingress.table]]
      14:10: metrics.listen: this is not an address with a port (an IP address and a port, as in `127.0.0.1:9464` or `[::1]:9464`)
    [metrics]
    listen = "127.0.0.1:99999"
    [[ingress.table]]
      14:10: metrics.listen: this is not an address with a port (an IP address and a port, as in `127.0.0.1:9464` or `[::1]:9464`)
    [metrics]
    listen = "127.0.0.1:9464"
    path = "/metrics"
    [[ingress.table]]
      15:1: metrics.path: unknown key `path` (`path` belongs to `[store]`; move it there)
    "##);
}

#[test]
fn syntax_errors_are_all_found() {
    insta::assert_snapshot!(problems("a = \nb = 5\nc = [1,,2]\nd = \"x\n"), @r##"
    1:5: string values must be quoted, expected literal string (TOML takes one `key = value` a line, strings in double quotes, tables as `[name]`)
    3:8: extra comma in array, expected value (TOML takes one `key = value` a line, strings in double quotes, tables as `[name]`)
    4:7: invalid basic string, expected `"` (TOML takes one `key = value` a line, strings in double quotes, tables as `[name]`)
    "##);
    insta::assert_snapshot!(before("[[ingress.table]]", &["[store]"]), @r##"
    [store]
    [[ingress.table]]
      13:2: duplicate key (remove or rename one of the two)
    "##);
}

#[test]
fn a_share_without_a_budget_and_a_spread_beyond_an_hour_are_refused() {
    let alone = problems(&with("[campaign]", "optout_share = 20\n[campaign]"));
    assert!(alone.contains("`optout_share` needs `requests_per_day`"), "{alone}");
    for share in ["91", "-1"] {
        let lines = format!("requests_per_day = 9\noptout_share = {share}\n[campaign]");
        assert!(problems(&with("[campaign]", &lines)).contains("optout_share"), "{share}");
    }
    let long = problems(&with("[campaign]", "[daemon]\njitter = \"2h\"\n[campaign]"));
    assert!(long.contains("a time span of at most 60 minutes"), "{long}");
}
