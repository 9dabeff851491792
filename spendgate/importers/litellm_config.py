"""LiteLLM's ``config.yaml``: budgets of the proxy, its providers, deployments, tags, and defaults for users.

Formats: docs.litellm.ai, "Budgets, Rate Limits", "Budget Routing" and "Tag budgets".
"""

from spendgate.importers.litellm_budget import (
    DEPLOYMENT,
    MODEL_NAMES,
    NO_CHARACTERS,
    ROUTER,
    Owner,
    Session,
    Terms,
    carry_budget,
    carry_cap,
    leave_the_rest,
    model_globs,
)
from spendgate.importers.values import glob_of
from spendgate.model.policy_problems import Path
from spendgate.model.zones import UnknownZone, load_zone

SECTIONS = ("litellm_settings", "router_settings", "model_list", "general_settings")
_SETTINGS: Path = ("litellm_settings",)
_ONLY_NEW = "what new keys are given; the limits that they have now are in a dump of the tables"
_EVERY_USER = (
    "stands for those without a budget of their own there, and not for calls with a key of a team; here for all"
)


def import_config(session: Session) -> None:
    """All budgets of a config, into the session."""
    _timezone(session)
    carry_budget(session, _SETTINGS, Owner(("proxy",), {}))
    _defaults(session)
    _teams(session)
    _tags(session)
    _providers(session)
    _deployments(session)
    for name in ("default_key_generate_params", "upperbound_key_generate_params"):
        session.carrying.leave((*_SETTINGS, name), _ONLY_NEW)
    _settle_timezone(session)


def _timezone(session: Session) -> None:
    path = (*_SETTINGS, "timezone")
    zone = session.carrying.at(path)
    try:
        if isinstance(zone, str) and load_zone(zone):
            session.timezone = zone
    except UnknownZone as error:
        session.carrying.leave(path, str(error))


def _settle_timezone(session: Session) -> None:
    path = (*_SETTINGS, "timezone")
    if session.calendars:
        session.carrying.carry(path)
    else:
        session.carrying.leave(path, "no budget here resets with the calendar")


def _defaults(session: Session) -> None:
    """Caps for every internal user, and for every end user."""
    users = Owner(("every-user",), {"employee": ["*"]}, ("employee",))
    customers = Owner(("every-end-user",), {"customer": ["*"]}, ("customer",))
    params = (*_SETTINGS, "default_internal_user_params")
    in_settings = Terms("max_internal_user_budget", "", "internal_user_budget_duration")
    for where, owner, terms in (
        (_SETTINGS, users, in_settings),
        (params, users, Terms()),
        (_SETTINGS, customers, Terms("max_end_user_budget", "", "")),
    ):
        if session.carrying.has((*where, terms.cap)):
            session.carrying.approximate((*where, terms.cap), _EVERY_USER)
        carry_cap(session, where, owner, terms)
    leave_the_rest(session, params)


def _teams(session: Session) -> None:
    path = (*_SETTINGS, "default_team_settings")
    teams = session.carrying.at(path)
    for i in range(len(teams)) if isinstance(teams, list) else ():
        where = (*path, i)
        globs, sources = session.globs([(*where, "team_id")] if session.carrying.has((*where, "team_id")) else [])
        if globs:
            carry_budget(session, where, Owner(("team", *globs), {"team": globs}, (), sources))
        leave_the_rest(session, where)


def _tags(session: Session) -> None:
    path = (*_SETTINGS, "tag_budget_config")
    tags = session.carrying.at(path)
    field = session.field_of("tag", path)
    for tag in tags if isinstance(tags, dict) and field else ():
        glob = glob_of(tag)
        if glob is None or field is None:
            session.carrying.leave((*path, tag), NO_CHARACTERS)
            continue
        carry_budget(session, (*path, tag), Owner(("tag", tag), {field: [glob]}))


def _providers(session: Session) -> None:
    path = ("router_settings", "provider_budget_config")
    providers = session.carrying.at(path)
    for provider in providers if isinstance(providers, dict) else ():
        glob, where = glob_of(provider), (*path, provider)
        if glob is None:
            session.carrying.leave(where, NO_CHARACTERS)
            continue
        terms = Terms() if session.carrying.has((*where, "max_budget")) else ROUTER
        carry_budget(session, where, Owner(("provider", provider), {"vendor": [glob]}), terms)


def _deployments(session: Session) -> None:
    models = session.carrying.at(("model_list",))
    for i in range(len(models)) if isinstance(models, list) else ():
        where = ("model_list", i, "litellm_params")
        model = session.carrying.at((*where, "model"))
        if not session.carrying.has((*where, "max_budget")):
            session.carrying.leave(("model_list", i), "a deployment without a budget")
            continue
        globs = model_globs(model) if isinstance(model, str) else None
        if globs is None or not isinstance(model, str):
            session.carrying.leave((*where, "max_budget"), f"its model {NO_CHARACTERS}")
            continue
        for path, reason in ((("model_list", i), DEPLOYMENT), ((*where, "model"), MODEL_NAMES)):
            session.carrying.approximate(path, reason)
        carry_budget(session, where, Owner(("model", model), {"model": globs}, (), ((*where, "model"),)))
        leave_the_rest(session, where)
