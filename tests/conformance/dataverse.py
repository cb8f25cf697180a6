# Drives Microsoft's own client, for tests/it/conform_python.rs: one JSON request a
# line on standard input, one JSON answer a line on standard output.
#
#   {"call": "records.create", "args": [...], "named": {...}}
#   {"batch": [["records.create", [...], {...}], ["changeset", [...]]], "continue": true}
#   {"fetchxml": "<fetch ...>"}      {"pages": ["contact", {...}]}
#   {"builder": "contact", "steps": [["select", ["lastname"]], ["execute", []]]}
#   {"surface": true}                the client's public operations
import dataclasses
import datetime
import decimal
import enum
import inspect
import json
import os
import sys
import time
import urllib.parse
import urllib.request
import warnings

import pandas
from azure.core.credentials import AccessToken
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.models import filters, relationship
from PowerPlatform.Dataverse.models.labels import Label, LocalizedLabel
from PowerPlatform.Dataverse.models.fetchxml_query import FetchXmlQuery
from PowerPlatform.Dataverse.models.query_builder import ExpandOption, QueryBuilder
from PowerPlatform.Dataverse.models.upsert import UpsertItem
from PowerPlatform.Dataverse.operations import batch as batches
from PowerPlatform.Dataverse.operations.dataframe import DataFrameOperations
from PowerPlatform.Dataverse.operations.files import FileOperations
from PowerPlatform.Dataverse.operations.query import QueryOperations
from PowerPlatform.Dataverse.operations.records import RecordOperations
from PowerPlatform.Dataverse.operations.tables import TableOperations

# Its own notes on names that it will drop.
warnings.simplefilter("ignore", DeprecationWarning)

# What a caller can reach, by the way to it.
SURFACE = {
    "client": DataverseClient,
    "records": RecordOperations,
    "query": QueryOperations,
    "tables": TableOperations,
    "dataframe": DataFrameOperations,
    "files": FileOperations,
    "builder": QueryBuilder,
    "fetchxml": FetchXmlQuery,
    "expand": ExpandOption,
    "batch": batches.BatchOperations,
    "batch.request": batches.BatchRequest,
    "batch.changeset.records": batches.ChangeSetRecordOperations,
    "batch.records": batches.BatchRecordOperations,
    "batch.tables": batches.BatchTableOperations,
    "batch.query": batches.BatchQueryOperations,
    "batch.dataframe": batches.BatchDataFrameOperations,
}


class Credential:
    """Asks the sandbox's Entra for a token, as azure-identity would."""

    def get_token(self, *scopes, **_):
        form = urllib.parse.urlencode({
            "grant_type": "client_credentials",
            "client_id": os.environ["CLIENT_ID"],
            "client_secret": os.environ["CLIENT_SECRET"],
            # The address of the environment, by the name that it knows itself by.
            "scope": os.environ["SCOPE"],
        })
        with urllib.request.urlopen(os.environ["TOKEN_URL"], form.encode()) as reply:
            token = json.load(reply)
        return AccessToken(token["access_token"], int(time.time()) + int(token["expires_in"]))


class Colour(enum.IntEnum):
    RED = 1
    BLUE = 2


def given(value):
    """What JSON cannot say."""
    if isinstance(value, list):
        return [given(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$upsert" in value:
        return UpsertItem(**value["$upsert"])
    if value.get("$enum") == "Colour":
        return Colour
    if "$lookup" in value:
        name, display = value["$lookup"]
        label = Label(localized_labels=[LocalizedLabel(label=display, language_code=1033)])
        return relationship.LookupAttributeMetadata(schema_name=name, display_name=label)
    if "$one_to_many" in value:
        return relationship.OneToManyRelationshipMetadata(**value["$one_to_many"])
    if "$many_to_many" in value:
        return relationship.ManyToManyRelationshipMetadata(**value["$many_to_many"])
    if "$frame" in value:
        return pandas.DataFrame(value["$frame"])
    if "$series" in value:
        return pandas.Series(value["$series"])
    if "$filter" in value:
        name, *args = value["$filter"]
        return getattr(filters, name)(*args)
    if "$expand" in value:
        relation, *steps = value["$expand"]
        option = ExpandOption(relation)
        for name, args in steps:
            getattr(option, name)(*args)
        return option
    return {name: given(inner) for name, inner in value.items()}


def shown(value):
    if isinstance(value, pandas.DataFrame):
        return [{name: None if pandas.isna(cell) else shown(cell) for name, cell in row.items()}
                for row in value.to_dict("records")]
    if isinstance(value, pandas.Series):
        return [shown(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: shown(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict) or hasattr(value, "keys"):
        return {str(name): shown(value[name]) for name in value.keys()}
    if isinstance(value, (list, tuple)) or hasattr(value, "__next__"):
        return [shown(item) for item in value]
    if isinstance(value, (datetime.datetime, datetime.date, decimal.Decimal)):
        return str(value)
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if hasattr(value, "__iter__"):
        return [shown(item) for item in value]
    return {name: shown(inner) for name, inner in vars(value).items() if not name.startswith("_")}


def reached(root, path):
    for name in path.split("."):
        root = getattr(root, name)
    return root


def fill(batch, steps):
    for step in steps:
        if step[0] == "changeset":
            with batch.changeset() as changes:
                for name, args in step[1]:
                    reached(changes, name)(*given(args))
        else:
            named = step[2] if len(step) > 2 else {}
            reached(batch, step[0])(*given(step[1]), **given(named))


def surface():
    out = ["aio"]
    for way, kind in SURFACE.items():
        public = (name for name, _ in inspect.getmembers(kind, inspect.isfunction))
        out += [f"{way}.{name}" for name in public if not name.startswith("_")]
    ways = {name for name in vars(DataverseClient(os.environ["ENVIRONMENT"], Credential()))
            if not name.startswith("_")}
    return {"operations": out, "ways": sorted(ways)}


def answer(client, asked):
    if "surface" in asked:
        return surface()
    if "builder" in asked:
        built = client.query.builder(asked["builder"])
        for name, args, *named in asked["steps"]:
            built = getattr(built, name)(*given(args), **given(named[0] if named else {}))
        return built
    if "batch" in asked:
        batch = client.batch.new()
        fill(batch, asked["batch"])
        return batch.execute(continue_on_error=asked.get("continue", False))
    if "fetchxml" in asked:
        query = client.query.fetchxml(asked["fetchxml"])
        return getattr(query, asked.get("run", "execute"))()
    if "pages" in asked:
        table, named = asked["pages"]
        return [list(page) for page in client.records.list_pages(table, **named)]
    return reached(client, asked["call"])(*given(asked.get("args", [])), **given(asked.get("named", {})))


def main():
    client = DataverseClient(os.environ["ENVIRONMENT"], Credential())
    for line in sys.stdin:
        try:
            out = {"ok": shown(answer(client, json.loads(line)))}
        except Exception as error:  # All of them are answers.
            details = getattr(error, "details", None) or {}
            out = {"error": {
                "type": type(error).__name__,
                "message": str(error),
                "status": getattr(error, "status_code", None),
                "code": details.get("service_error_code"),
                "transient": getattr(error, "is_transient", None),
                "retry_after": details.get("retry_after"),
            }}
        print(json.dumps(out), flush=True)


main()
