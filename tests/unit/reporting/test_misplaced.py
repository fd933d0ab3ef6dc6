"""What is said if a resource was looked for in the wrong place."""

from __future__ import annotations

from dataclasses import replace

from erfailover.errors import AzureErrorKind, AzureFailure, UnknownReading
from erfailover.model.azure_context import AzureContext, VisibleSubscription
from erfailover.reporting.misplaced import Facts, add_missing, explain_failure, select_causes

WRONG, OTHER = "11111111-2222-3333-4444-555555555555", "22222222-2222-3333-4444-555555555555"
CONTEXT = AzureContext("poc", subscription=WRONG, tenant="t", identity="ana@contoso.com")
ORIGINS = {WRONG: "AZURE_SUBSCRIPTION_ID", "vnet1": "erfailover.yaml:30"}
FACTS = Facts(CONTEXT, (), lambda name: ORIGINS.get(name, ""))


def make_failure(
    name: str,
    kind: AzureErrorKind = AzureErrorKind.SUBSCRIPTION_NOT_FOUND,
    code: str = "SubscriptionNotFound",
    subscription: str = WRONG,
) -> AzureFailure:
    path = f"/subscriptions/{subscription}/resourceGroups/rg/providers/a/virtualNetworks/{name}"
    return AzureFailure(kind, f"GET rg/{name}: no ({code}: m)", "hint.", code=code, path=path)


def test_three_hundred_spokes_of_one_wrong_subscription_are_one_sentence() -> None:
    failures = [make_failure(f"spoke{number}") for number in range(300)]
    failure = UnknownReading(f"cannot plan: {'; '.join(f.message for f in failures)}")
    result = explain_failure(failure, failures, FACTS)
    assert result.message == (
        f"cannot plan: subscription {WRONG} (from AZURE_SUBSCRIPTION_ID) does not "
        "exist, or is not visible to ana@contoso.com of tenant t (SubscriptionNotFound)"
    )
    assert result.exit_code == failure.exit_code
    assert result.hint == (
        "This identity sees no subscription. Set AZURE_SUBSCRIPTION_ID to another one, or have a "
        "role assigned in this one."
    )


def test_the_advice_of_a_command_is_kept_unless_it_only_sends_to_doctor() -> None:
    failure = make_failure("a")
    for hint, is_kept in (("Name the spokes.", True), ("Check: erfailover doctor", False)):
        result = explain_failure(UnknownReading(failure.message, hint), [failure], FACTS)
        assert (result.hint or "").endswith(hint) is is_kept


def test_the_visible_subscriptions_fold_and_the_wrong_one_is_not_among_them() -> None:
    many = tuple(VisibleSubscription(f"id{number}", f"sub{number}") for number in range(9))
    hint = (
        explain_failure(make_failure("a"), [make_failure("a")], replace(FACTS, visible=many)).hint
        or ""
    )
    assert "sees sub0 (id0), sub1 (id1), sub2 (id2), sub3 (id3) and 5 more." in hint
    alone = (VisibleSubscription(WRONG, "mine"),)
    group = make_failure("a", AzureErrorKind.GROUP_NOT_FOUND, "ResourceGroupNotFound")
    failure = explain_failure(group, [group], replace(FACTS, visible=alone))
    assert "This identity sees no other subscription." in (failure.hint or "")
    assert f"resource group rg does not exist in subscription mine {WRONG}" in failure.message
    unknown = explain_failure(make_failure("a"), [make_failure("a")], replace(FACTS, visible=None))
    assert "sees" not in (unknown.hint or "")


def test_the_remedy_follows_who_named_it() -> None:
    for origin, remedy in (
        ("the default of az", "az account set --subscription ID"),
        ("erfailover.yaml:3", "Correct it in erfailover.yaml:3"),
        ("", "Azure named it, not the site file"),
    ):
        facts = replace(FACTS, origin_of={WRONG: origin}.__getitem__)
        assert remedy in (explain_failure(make_failure("a"), [make_failure("a")], facts).hint or "")


def test_what_is_not_offered_keeps_azure_s_words_and_says_whose_version_it_is() -> None:
    old = make_failure("a", AzureErrorKind.NOT_OFFERED, "NoRegisteredProviderFound")
    failure = explain_failure(old, [old], replace(FACTS, version_from="The version is mine."))
    assert failure.message == old.message
    assert failure.hint == "hint. The version is mine."


def test_a_failure_is_due_to_what_it_quotes_or_to_the_site_s_own_subscription() -> None:
    own, other = make_failure("own"), make_failure("other", subscription=OTHER)
    quoting = UnknownReading(f"unknown: {other.message}")
    assert select_causes(quoting, [own, other], WRONG) == [other]
    assert select_causes(UnknownReading("unknown: p"), [other, own], WRONG) == [own]
    assert select_causes(UnknownReading("unknown: p"), [other], WRONG) == []
    failure = explain_failure(UnknownReading("unknown: p"), [own], FACTS)
    assert failure.message.startswith(f"unknown: p: subscription {WRONG} (from AZURE_")


def test_the_ids_of_what_does_not_exist_are_named_with_their_lines() -> None:
    failure = UnknownReading("nothing: vnet1 does not exist in Azure", "Check it.")
    result = add_missing(failure, ["/subscriptions/s/a/vnet1", "/x/vnet2"], FACTS.origin_of)
    assert result.hint == (
        "Looked for /subscriptions/s/a/vnet1 (from erfailover.yaml:30). Check it."
    )
    assert add_missing(failure, ["/x/vnet2"], FACTS.origin_of) is failure
