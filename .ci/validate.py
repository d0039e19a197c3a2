#!/usr/bin/env python3
"""Holds the reports on all fixtures to their schemas, with validators that know nothing of this program.

Usage: .ci/validate.py PROGRAM        Needs the package jsonschema.
"""

import csv
import json
import pathlib
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET

from jsonschema import Draft7Validator, Draft202012Validator, FormatChecker

ROOT = pathlib.Path(__file__).resolve().parent.parent

# As GitLab documents it: https://docs.gitlab.com/ci/testing/code_quality/
GITLAB = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "properties": {
            "description": {"type": "string", "minLength": 1},
            "check_name": {"type": "string", "minLength": 1},
            "fingerprint": {"type": "string", "minLength": 1},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "type": "object",
                "required": ["path", "lines"],
                "properties": {
                    "path": {"type": "string", "pattern": "^(?!\\./)"},
                    "lines": {
                        "type": "object",
                        "required": ["begin"],
                        "properties": {"begin": {"type": "integer", "minimum": 1}},
                    },
                },
            },
        },
    },
}

# What the xUnit plugin of Jenkins accepts: attributes that must and that may be there, and children.
JUNIT = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors"},
        {"group", "time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url"},
        {"testsuite", "properties", "testcase", "system-out", "system-err"},
    ),
    "testcase": (
        {"name"},
        {"time", "classname", "group"},
        {"skipped", "error", "failure", "system-out", "system-err"},
    ),
    "failure": (set(), {"type", "message"}, set()),
    "skipped": (set(), {"type", "message"}, set()),
    "system-out": (set(), set(), set()),
}


def junit(element):
    must, may, children = JUNIT[element.tag]
    names = set(element.keys())
    assert must <= names <= must | may, f"{element.tag}: {sorted(names)}"
    for child in element:
        assert child.tag in children, f"{child.tag} in {element.tag}"
        junit(child)


def counts(suites):
    cases = suites.findall(".//testcase")
    assert int(suites.get("tests")) == len(cases) > 0
    assert int(suites.get("failures")) == sum(case.find("failure") is not None for case in cases)
    names = [(case.get("classname"), case.get("name")) for case in cases]
    assert len(set(names)) == len(names), names


def main(program):
    def run(*arguments):
        done = subprocess.run([program, *arguments], cwd=ROOT, capture_output=True, check=False)
        assert done.returncode in (0, 1, 4), (arguments, done.returncode, done.stderr)
        return done.stdout.decode()

    def validator(kind, schema):
        kind.check_schema(schema)
        return kind(schema, format_checker=FormatChecker())

    document = validator(Draft202012Validator, json.loads(run("schema")))
    line = validator(Draft202012Validator, json.loads(run("schema", "jsonl")))
    sarif = validator(Draft7Validator, json.loads((ROOT / "tests/schemas/sarif-2.1.0.json").read_text()))
    gitlab = validator(Draft7Validator, GITLAB)

    readable = ["cut_in_record.pcap", "damaged_middle.pcap", "snapped_96.pcap", "no_packets.pcap", "cut.pcap.gz"]
    captures = [f"fixtures/broken/{name}" for name in readable]
    captures += sorted(
        str(path.relative_to(ROOT)) for path in (ROOT / "fixtures/captures").iterdir() if path.suffix != ".md"
    )
    formats = ["json", "jsonl", "sarif", "junit", "gitlab", "csv"]
    with tempfile.TemporaryDirectory() as folder:
        for capture in captures:
            place = {name: pathlib.Path(folder) / name for name in formats}
            outputs = [word for name in formats for word in ("--output", f"{name}={place[name]}")]
            run(*outputs, "--fail-on", "error", capture)
            text = {name: place[name].read_bytes().decode() for name in formats}
            report = json.loads(text["json"])
            try:
                document.validate(report)
                lines = [json.loads(one) for one in text["jsonl"].splitlines()]
                for one in lines:
                    line.validate(one)
                log = json.loads(text["sarif"])
                sarif.validate(log)
                issues = json.loads(text["gitlab"])
                gitlab.validate(issues)
                suites = ET.fromstring(text["junit"])
                junit(suites)
                counts(suites)
                assert len({issue["fingerprint"] for issue in issues}) == len(issues)
                rows = list(csv.DictReader(text["csv"].splitlines(), strict=True))
                findings = len(report["findings"])
                assert len(rows) == len(log["runs"][0]["results"]) == findings
                assert all(None not in row and None not in row.values() for row in rows)
                assert sum(one["type"] == "finding" for one in lines) == findings
            except Exception as error:
                sys.exit(f"{capture}: {error}")
    print(f"{len(captures)} captures, {len(formats)} formats: all valid")


if __name__ == "__main__":
    main(str(pathlib.Path(sys.argv[1]).resolve()))
