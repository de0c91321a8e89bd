"""Compose and Kubernetes: what they refer to is there, and what they promise of a keeper is written in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from keeper.cli.main import app
from keeper.settings import load

DEPLOY = Path(__file__).parents[1] / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
MANIFESTS: list[dict[str, Any]] = list(
    yaml.safe_load_all((DEPLOY / "kubernetes/keeper.yaml").read_text(encoding="utf-8"))
)
BY_HAND = {
    "./keeper.toml",
    "./keystore.json",
    "./keystore.password",
    "./pgpass",
    "./postgres.password",
    "./grafana.password",
}
"""What the owner puts beside the compose file: named in its first lines."""


def dockerfile(instruction: str) -> list[str]:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    return [line.removeprefix(instruction).strip() for line in text.splitlines() if line.startswith(instruction + " ")]


def mounts() -> Iterator[tuple[str, str, str]]:
    """Service, what is mounted, and where."""
    for name, service in SERVICES.items():
        for volume in service.get("volumes", ()):
            source, target, *_ = volume.split(":")
            yield name, source, target


# --- compose ---------------------------------------------------------------------------------------------------------


def test_every_file_that_compose_names_is_in_the_repository_or_said_to_be_the_owners() -> None:
    """Docker makes a folder of a file that is missing, and the service fails on something else."""
    named = {source for _, source, _ in mounts() if source.startswith(".")}
    named |= {secret["file"] for secret in COMPOSE["secrets"].values()}
    missing = {path for path in named if not (DEPLOY / path).exists()}
    assert missing == BY_HAND
    head = (DEPLOY / "compose.yaml").read_text(encoding="utf-8").partition("services:")[0]
    assert [path for path in BY_HAND if path.removeprefix("./") not in head] == []
    build = SERVICES["keeper"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()


def test_every_volume_secret_and_service_that_is_used_is_declared_and_the_other_way_round() -> None:
    """No name leads nowhere, and none is left over."""
    assert {source for _, source, _ in mounts() if not source.startswith(".")} == COMPOSE["volumes"].keys()
    used = [secret for service in SERVICES.values() for secret in service.get("secrets", ())]
    assert set(used) == COMPOSE["secrets"].keys()
    named = {name for service in SERVICES.values() for name in service.get("depends_on", ())}
    named |= {s["network_mode"].removeprefix("service:") for s in SERVICES.values() if "network_mode" in s}
    assert named <= SERVICES.keys()


def test_every_secret_that_a_service_reads_is_given_to_it() -> None:
    """By its path: passwords are in no environment."""
    for name, service in SERVICES.items():
        told = " ".join(str(value) for value in service.get("environment", {}).values())
        assert set(re.findall(r"/run/secrets/([\w-]+)", told)) <= set(service.get("secrets", ())), name
        assert "PASSWORD:" not in told.upper()
        for key, value in service.get("environment", {}).items():
            assert "PASSWORD" not in key or "/run/secrets/" in str(value), key


def test_the_keeper_runs_small_and_locked_up() -> None:
    """No root, no writable file system, no capability, and time to finish what is in flight."""
    keeper = SERVICES["keeper"]
    assert keeper["read_only"] is True
    assert keeper["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in keeper["security_opt"]
    assert keeper["command"] == ["run", "--dry-run"], "live is a word of the owner's"
    assert dockerfile("USER") == ["keeper"]
    assert "--uid 10001" in " ".join(dockerfile("RUN"))
    written = {target for _, source, target in mounts() if not source.startswith(".")}
    assert set(dockerfile("VOLUME")) <= written, "what the image writes to is a volume"
    assert f"/home/keeper:uid={10001},mode=0700" in keeper["tmpfs"]


def test_nothing_is_published_beyond_this_machine() -> None:
    """Figures of positions are nobody's business."""
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_prometheus_sees_the_keeper_and_grafana_sees_prometheus() -> None:
    """Metrics are on 127.0.0.1: whoever reads them shares the keeper's network; its rules and dashboard are mounted."""
    prometheus, grafana = SERVICES["prometheus"], SERVICES["grafana"]
    assert prometheus["network_mode"] == "service:keeper"
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text(encoding="utf-8"))
    assert all((DEPLOY / "prometheus" / name).is_file() for name in config["rule_files"])
    ((target,),) = [job["static_configs"][0]["targets"] for job in config["scrape_configs"]]
    assert f"metrics_port = {target.rpartition(':')[2]}" in (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    source = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yaml").read_text(encoding="utf-8"))
    assert source["datasources"][0]["url"] == "http://keeper:9090"
    boards = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/keeper.yaml").read_text(encoding="utf-8"))
    folder = boards["providers"][0]["options"]["path"]
    assert any(volume.split(":")[1].startswith(folder + "/") for volume in grafana["volumes"])


def test_images_are_of_a_version() -> None:
    """`latest` is another program tomorrow."""
    images = [service["image"] for service in SERVICES.values() if "build" not in service]
    assert all(re.search(r":v?\d", image) for image in images), images
    assert all(re.search(r":[\d.]+", line) for line in dockerfile("FROM"))


# --- Kubernetes ------------------------------------------------------------------------------------------------------


def of_kind(kind: str) -> dict[str, Any]:
    (found,) = [one for one in MANIFESTS if one["kind"] == kind]
    return found


def pod() -> dict[str, Any]:
    found: dict[str, Any] = of_kind("Deployment")["spec"]["template"]["spec"]
    return found


def test_there_is_never_a_second_pod() -> None:
    """One replica, the old one gone before the new one comes, and a volume that only one pod mounts."""
    deployment = of_kind("Deployment")["spec"]
    assert (deployment["replicas"], deployment["strategy"]["type"]) == (1, "Recreate")
    claim = of_kind("PersistentVolumeClaim")
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]
    (state,) = [v for v in pod()["volumes"] if "persistentVolumeClaim" in v]
    assert state["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    (keeper,) = pod()["containers"]
    where = {m["name"]: m["mountPath"] for m in keeper["volumeMounts"]}
    assert where[state["name"]] == "/var/lib/position-keeper", "journal and the signer's lock are in it"
    said = " ".join(dockerfile("ENV"))
    assert "KEEPER_STATE_DIR=/var/lib/position-keeper" in said
    assert "KEEPER_JOURNAL_URL=sqlite:////var/lib/position-keeper/" in said


def test_what_the_manifests_refer_to_is_in_them_or_made_by_hand_as_they_say() -> None:
    """Labels, claims, settings; and the secret, whose command is in the first lines, key by key."""
    labels = of_kind("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert of_kind("Deployment")["spec"]["selector"]["matchLabels"] == labels
    assert of_kind("NetworkPolicy")["spec"]["podSelector"]["matchLabels"] == labels
    (keeper,) = pod()["containers"]
    assert {m["name"] for m in keeper["volumeMounts"]} == {v["name"] for v in pod()["volumes"]}
    assert {v["configMap"]["name"] for v in pod()["volumes"] if "configMap" in v} == {
        of_kind("ConfigMap")["metadata"]["name"]
    }
    head = (DEPLOY / "kubernetes/keeper.yaml").read_text(encoding="utf-8").partition("apiVersion")[0]
    (secret,) = [v["secret"] for v in pod()["volumes"] if "secret" in v]
    assert f"create secret generic {secret['secretName']} " in head
    keys = [item["key"] for item in secret["items"]] + [e["valueFrom"]["secretKeyRef"]["key"] for e in keeper["env"]]
    assert [key for key in keys if key not in head] == []


def test_the_settings_in_the_manifest_are_good_and_find_their_secrets(tmp_path: Path) -> None:
    """As `keeper check` reads them; the files they name are where the secret is mounted."""
    (tmp_path / "keeper.toml").write_text(of_kind("ConfigMap")["data"]["keeper.toml"], encoding="utf-8")
    settings = load(tmp_path / "keeper.toml", {"KEEPER_RPC_URL": "http://127.0.0.1:8545"})
    (keeper,) = pod()["containers"]
    (mounted,) = [m["mountPath"] for m in keeper["volumeMounts"] if m["name"] == "secrets"]
    (secret,) = [v["secret"] for v in pod()["volumes"] if "secret" in v]
    there = {f"{mounted}/{item['path']}" for item in secret["items"]}
    (signer,) = settings.signers
    assert {str(signer.keystore), str(signer.password_file)} == there
    (folder,) = [m["mountPath"] for m in keeper["volumeMounts"] if m["name"] == "settings"]
    assert f"KEEPER_CONFIG={folder}/keeper.toml" in " ".join(dockerfile("ENV"))


def test_the_pod_is_locked_up_and_probed_by_judged_blocks() -> None:
    """No root, no writable file system, no token of the cluster; hung, it is started again."""
    (keeper,) = pod()["containers"]
    assert pod()["automountServiceAccountToken"] is False
    assert pod()["securityContext"]["runAsNonRoot"] is True
    assert pod()["securityContext"]["runAsUser"] == 10001
    bounds = keeper["securityContext"]
    assert (bounds["readOnlyRootFilesystem"], bounds["allowPrivilegeEscalation"]) == (True, False)
    assert bounds["capabilities"] == {"drop": ["ALL"]}
    assert pod()["terminationGracePeriodSeconds"] >= 120
    for probe in ("startupProbe", "livenessProbe"):
        assert keeper[probe]["exec"]["command"][:2] == ["keeper", "alive"]
    assert keeper["args"] == ["run", "--dry-run"]


@pytest.mark.parametrize("command", ["run", "alive", "reload"])
def test_the_commands_that_are_called_exist(command: str) -> None:
    """In compose, in the image and in the manifests."""
    names = {one.name or one.callback.__name__ for one in app.registered_commands if one.callback}
    assert command in names
    assert dockerfile("ENTRYPOINT") == ['["keeper"]']


def test_every_file_that_the_image_copies_is_let_in() -> None:
    """A file outside the build's context fails it on the owner's machine."""
    let_in = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    for line in (line for line in dockerfile("COPY") if not line.startswith("--from")):
        for source in line.split()[:-1]:
            assert (DEPLOY.parent / source).exists(), source
            assert any(entry == f"!{source}" or entry.startswith(f"!{source}/") for entry in let_in), source
