"""What boto3 sees of the AWS endpoint: one function per test, called by name from aws.bats.

The environment has the admin's credentials and AWS_ENDPOINT_URL. Every test makes what it needs under names of its own."""
import datetime
import json
import sys
import time
import urllib.parse
import urllib.request

import boto3
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

NO_RETRY = Config(retries={"max_attempts": 1}, parameter_validation=False)  # the endpoint shall see what is wrong
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"


def client(service, credentials=None):
    """A client of the admin, or with Credentials of STS, or with an AccessKey of IAM."""
    if credentials is None:
        return boto3.client(service, config=NO_RETRY)
    return boto3.client(service, config=NO_RETRY, aws_access_key_id=credentials["AccessKeyId"], aws_secret_access_key=credentials["SecretAccessKey"],
                        aws_session_token=credentials.get("SessionToken"))


def refused(code, call, *args, **kwargs):
    """The call fails with that code; returns the message."""
    try:
        call(*args, **kwargs)
    except ClientError as e:
        got = e.response["Error"]["Code"]
        assert got == code, f"expected {code}, got {got}: {e}"
        return e.response["Error"]["Message"]
    raise AssertionError(f"expected {code}, but it was allowed")


def document(effect="Allow", action="*", resource="*", **more):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": effect, "Action": action, "Resource": resource, **more}]})


def trust(principal, condition=None, action="sts:AssumeRole"):
    statement = {"Effect": "Allow", "Principal": principal, "Action": action}
    if condition:
        statement["Condition"] = condition
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def account():
    return client("sts").get_caller_identity()["Account"]


def new_user(name, policy=None):
    """A user with a key and perhaps an inline policy."""
    iam = client("iam")
    iam.create_user(UserName=name)
    if policy:
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy)
    return iam.create_access_key(UserName=name)["AccessKey"]


# ---- users and keys ----

def users_are_made_read_listed_and_deleted():
    iam = client("iam")
    made = iam.create_user(UserName="Jane.Doe@example+x=1", Path="/team/", Tags=[{"Key": "k", "Value": "v"}])["User"]
    assert made["Arn"] == f"arn:aws:iam::{account()}:user/team/Jane.Doe@example+x=1", made
    assert made["UserId"].startswith("AIDA") and len(made["UserId"]) == 21, made
    assert iam.get_user(UserName="jane.doe@EXAMPLE+x=1")["User"]["Tags"] == [{"Key": "k", "Value": "v"}]
    assert "already exists" in refused("EntityAlreadyExists", iam.create_user, UserName="JANE.DOE@example+x=1")
    assert [u["UserName"] for u in iam.list_users(PathPrefix="/team/")["Users"]] == ["Jane.Doe@example+x=1"]
    iam.delete_user(UserName="Jane.Doe@example+x=1")
    assert refused("NoSuchEntity", iam.get_user, UserName="Jane.Doe@example+x=1") == "The user with name Jane.Doe@example+x=1 cannot be found."


def bad_names_are_refused_in_the_words_of_aws():
    iam = client("iam")
    message = refused("ValidationError", iam.create_user, UserName="a b")
    assert message == "The specified value for userName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-", message
    message = refused("ValidationError", iam.create_user, UserName="x" * 65)
    assert "Member must have length less than or equal to 64" in message, message
    refused("ValidationError", iam.create_user, UserName="ok", Path="no-slash")
    refused("InvalidInput", iam.create_user, UserName="ok", Tags=[{"Key": "aws:x", "Value": ""}])
    refused("InvalidInput", iam.create_user, UserName="ok", Tags=[{"Key": "a", "Value": ""}, {"Key": "A", "Value": ""}])


def access_keys_live_and_die():
    iam = client("iam")
    key = new_user("keys", document(action="iam:GetUser"))
    mine = client("iam", key)
    assert mine.get_user()["User"]["UserName"] == "keys"
    assert client("sts", key).get_caller_identity()["Arn"].endswith(":user/keys")
    listed = iam.list_access_keys(UserName="keys")["AccessKeyMetadata"]
    assert [k["Status"] for k in listed] == ["Active"] and "SecretAccessKey" not in listed[0]
    iam.update_access_key(UserName="keys", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    refused("InvalidClientTokenId", client("sts", key).get_caller_identity)
    iam.update_access_key(UserName="keys", AccessKeyId=key["AccessKeyId"], Status="Active")
    iam.create_access_key(UserName="keys")
    assert refused("LimitExceeded", iam.create_access_key, UserName="keys") == "Cannot exceed quota for AccessKeysPerUser: 2"
    assert "delete access keys first" in refused("DeleteConflict", iam.delete_user, UserName="keys")
    iam.delete_access_key(UserName="keys", AccessKeyId=key["AccessKeyId"])
    refused("InvalidClientTokenId", client("sts", key).get_caller_identity)


def users_are_renamed_and_moved():
    iam = client("iam")
    key = new_user("before", document(action=["iam:GetUser", "iam:UpdateUser"]))
    made = client("iam", key).get_user()["User"]
    iam.update_user(UserName="before", NewUserName="after", NewPath="/moved/")
    now = client("iam", key).get_user()["User"]
    assert now["UserName"] == "after" and now["Arn"].endswith(":user/moved/after"), now
    assert now["UserId"] == made["UserId"] and now["CreateDate"] == made["CreateDate"], now
    refused("NoSuchEntity", iam.get_user, UserName="before")
    iam.update_user(UserName="after", NewUserName="AFTER")
    assert iam.get_user(UserName="after")["User"]["UserName"] == "AFTER"
    iam.create_user(UserName="before")
    assert refused("EntityAlreadyExists", iam.update_user, UserName="after", NewUserName="Before") == "User with name Before already exists."
    iam.put_user_policy(UserName="after", PolicyName="p", PolicyDocument=document(action="iam:UpdateUser", resource="arn:aws:iam::*:user/moved/*"))
    refused("AccessDenied", client("iam", key).update_user, UserName="after", NewPath="/elsewhere/")
    client("iam", key).update_user(UserName="after", NewPath="/moved/further/")


def pages_follow_one_another():
    iam = client("iam")
    for i in range(7):
        iam.create_user(UserName=f"page{i}", Path="/pages/")
    pages = list(iam.get_paginator("list_users").paginate(PathPrefix="/pages/", PaginationConfig={"PageSize": 3}))
    assert [len(p["Users"]) for p in pages] == [3, 3, 1], pages
    assert [u["UserName"] for p in pages for u in p["Users"]] == [f"page{i}" for i in range(7)]
    refused("ValidationError", iam.list_users, Marker="nonsense")


# ---- roles and policies ----

def roles_keep_their_trust_policy_and_settings():
    iam = client("iam")
    new_user("trusted")
    arn = f"arn:aws:iam::{account()}:user/trusted"
    text = trust({"AWS": arn})
    role = iam.create_role(RoleName="r1", Path="/a/b/", AssumeRolePolicyDocument=text, Description="first", MaxSessionDuration=7200,
                           Tags=[{"Key": "x", "Value": "y"}])["Role"]
    assert role["Arn"] == f"arn:aws:iam::{account()}:role/a/b/r1" and role["RoleId"].startswith("AROA"), role
    assert role["AssumeRolePolicyDocument"] == json.loads(text), role
    iam.update_role(RoleName="r1", Description="second", MaxSessionDuration=3600)
    got = iam.get_role(RoleName="R1")["Role"]
    assert got["Description"] == "second" and got["MaxSessionDuration"] == 3600 and got["Tags"], got
    iam.update_assume_role_policy(RoleName="r1", PolicyDocument=trust({"Service": "ec2.amazonaws.com"}))
    assert iam.get_role(RoleName="r1")["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": "ec2.amazonaws.com"}
    message = refused("MalformedPolicyDocument", iam.update_assume_role_policy, RoleName="r1", PolicyDocument=trust({"AWS": arn + "-nobody"}))
    assert message == f'Invalid principal in policy: "AWS":"{arn}-nobody"', message
    assert refused("MalformedPolicyDocument", iam.create_role, RoleName="r2", AssumeRolePolicyDocument=document()) == "Missing required field Principal"
    message = refused("ValidationError", iam.create_role, RoleName="r2", AssumeRolePolicyDocument=text, MaxSessionDuration=43201)
    assert "Value '43201' at 'maxSessionDuration'" in message, message
    iam.delete_role(RoleName="r1")


def a_role_trusts_the_user_that_was_not_the_next_of_that_name():
    iam = client("iam")
    iam.create_user(UserName="same")
    arn = f"arn:aws:iam::{account()}:user/same"
    iam.create_role(RoleName="trusts-same", AssumeRolePolicyDocument=trust({"AWS": arn}))
    iam.delete_user(UserName="same")
    shown = iam.get_role(RoleName="trusts-same")["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["AWS"]
    assert shown.startswith("AIDA"), shown
    key = new_user("same")
    refused("AccessDenied", client("sts", key).assume_role, RoleArn=f"arn:aws:iam::{account()}:role/trusts-same", RoleSessionName="s1")


def inline_policies_are_put_got_listed_and_deleted():
    iam = client("iam")
    iam.create_role(RoleName="inline", AssumeRolePolicyDocument=trust({"AWS": account()}))
    text = document(action=["ec2:*"], resource=["*"])
    iam.put_role_policy(RoleName="inline", PolicyName="one", PolicyDocument=text)
    iam.put_role_policy(RoleName="inline", PolicyName="two", PolicyDocument=text)
    assert iam.list_role_policies(RoleName="inline")["PolicyNames"] == ["one", "two"]
    assert iam.get_role_policy(RoleName="inline", PolicyName="one")["PolicyDocument"] == json.loads(text)
    assert "delete policies first" in refused("DeleteConflict", iam.delete_role, RoleName="inline")
    message = refused("NoSuchEntity", iam.get_role_policy, RoleName="inline", PolicyName="three")
    assert message == "The role policy with name three cannot be found.", message
    big = document(resource=["arn:aws:s3:::" + "b" * 200 + str(i) for i in range(60)])
    assert "Maximum policy size of 10240 bytes exceeded for role inline" in refused("LimitExceeded", iam.put_role_policy, RoleName="inline", PolicyName="big", PolicyDocument=big)
    for bad, message in ((" {", "This policy contains invalid Json"), ("{}", "Syntax errors in policy."), (document(action="x"), "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."),
                         (document(resource="x"), 'Resource x must be in ARN format or "*".'), (document(Principal="*"), "Policy document should not specify a principal.")):
        got = refused("MalformedPolicyDocument", iam.put_role_policy, RoleName="inline", PolicyName="bad", PolicyDocument=bad)
        assert got == message, (bad, got)
    for name in ("one", "two"):
        iam.delete_role_policy(RoleName="inline", PolicyName=name)
    iam.delete_role(RoleName="inline")


def managed_policies_have_versions_and_attachments():
    iam = client("iam")
    policy = iam.create_policy(PolicyName="mp", Path="/x/", PolicyDocument=document(action="ec2:*"), Description="d")["Policy"]
    arn = policy["Arn"]
    assert arn == f"arn:aws:iam::{account()}:policy/x/mp" and policy["DefaultVersionId"] == "v1", policy
    for _ in range(4):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=document(action="iam:*"))
    assert "up to 5 versions" in refused("LimitExceeded", iam.create_policy_version, PolicyArn=arn, PolicyDocument=document())
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v3")
    assert [v["VersionId"] for v in iam.list_policy_versions(PolicyArn=arn)["Versions"] if v["IsDefaultVersion"]] == ["v3"]
    refused("DeleteConflict", iam.delete_policy_version, PolicyArn=arn, VersionId="v3")
    assert iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"]["Statement"][0]["Action"] == "ec2:*"
    iam.create_user(UserName="attached")
    iam.attach_user_policy(UserName="attached", PolicyArn=arn)
    iam.attach_user_policy(UserName="attached", PolicyArn=arn)
    iam.attach_user_policy(UserName="attached", PolicyArn=ADMIN)
    assert [p["PolicyName"] for p in iam.list_attached_user_policies(UserName="attached")["AttachedPolicies"]] == ["mp", "AdministratorAccess"]
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 1
    assert iam.list_entities_for_policy(PolicyArn=arn)["PolicyUsers"][0]["UserName"] == "attached"
    assert "attached to entities" in refused("DeleteConflict", iam.delete_policy, PolicyArn=arn)
    for p in (arn, ADMIN):
        iam.detach_user_policy(UserName="attached", PolicyArn=p)
    refused("NoSuchEntity", iam.detach_user_policy, UserName="attached", PolicyArn=arn)
    refused("NoSuchEntity", iam.attach_user_policy, UserName="attached", PolicyArn="arn:aws:iam::aws:policy/NoSuchPolicy")
    for v in ("v1", "v2", "v4", "v5"):
        iam.delete_policy_version(PolicyArn=arn, VersionId=v)
    iam.delete_policy(PolicyArn=arn)
    names = [p["PolicyName"] for page in iam.get_paginator("list_policies").paginate(Scope="AWS") for p in page["Policies"]]
    assert "ReadOnlyAccess" in names, names
    refused("AccessDenied", iam.delete_policy, PolicyArn=ADMIN)


def oidc_providers_and_instance_profiles():
    iam = client("iam")
    arn = iam.create_open_id_connect_provider(Url="https://oidc.example.com/id/X", ClientIDList=["sts.amazonaws.com"], ThumbprintList=["a" * 40])["OpenIDConnectProviderArn"]
    assert arn == f"arn:aws:iam::{account()}:oidc-provider/oidc.example.com/id/X", arn
    refused("EntityAlreadyExists", iam.create_open_id_connect_provider, Url="https://oidc.example.com/id/X")
    refused("ValidationError", iam.create_open_id_connect_provider, Url="http://oidc.example.com")
    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="another")
    iam.update_open_id_connect_provider_thumbprint(OpenIDConnectProviderArn=arn, ThumbprintList=["b" * 40])
    iam.tag_open_id_connect_provider(OpenIDConnectProviderArn=arn, Tags=[{"Key": "a", "Value": "b"}])
    got = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert got["ClientIDList"] == ["sts.amazonaws.com", "another"] and got["ThumbprintList"] == ["b" * 40] and got["Url"] == "oidc.example.com/id/X" and got["Tags"], got
    iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="another")
    assert iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == [{"Arn": arn}]
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    refused("NoSuchEntity", iam.get_open_id_connect_provider, OpenIDConnectProviderArn=arn)

    iam.create_role(RoleName="node", AssumeRolePolicyDocument=trust({"Service": "ec2.amazonaws.com"}))
    iam.create_instance_profile(InstanceProfileName="ip")
    iam.add_role_to_instance_profile(InstanceProfileName="ip", RoleName="node")
    assert iam.get_instance_profile(InstanceProfileName="ip")["InstanceProfile"]["Roles"][0]["RoleName"] == "node"
    assert iam.list_instance_profiles_for_role(RoleName="node")["InstanceProfiles"][0]["InstanceProfileName"] == "ip"
    refused("LimitExceeded", iam.add_role_to_instance_profile, InstanceProfileName="ip", RoleName="node")
    assert "remove roles from instance profile first" in refused("DeleteConflict", iam.delete_role, RoleName="node")
    iam.remove_role_from_instance_profile(InstanceProfileName="ip", RoleName="node")
    iam.delete_instance_profile(InstanceProfileName="ip")
    iam.delete_role(RoleName="node")


# ---- what is allowed ----

def policies_decide():
    iam = client("iam")
    key = new_user("limited", json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["iam:Get*", "iam:List*"], "Resource": "arn:aws:iam::*:user/${aws:username}"},
        {"Effect": "Allow", "Action": "ec2:DescribeRegions", "Resource": "*"},
        {"Effect": "Deny", "Action": "iam:ListUserTags", "Resource": "*"}]}))
    me = client("iam", key)
    me.get_user(UserName="limited")
    message = refused("AccessDenied", me.get_user, UserName="admin")
    a = account()
    expected = (f"User: arn:aws:iam::{a}:user/limited is not authorized to perform: iam:GetUser on resource: arn:aws:iam::{a}:user/admin "
                "because no identity-based policy allows the iam:GetUser action")
    assert message == expected, message
    assert "with an explicit deny in an identity-based policy" in refused("AccessDenied", me.list_user_tags, UserName="limited")
    client("ec2", key).describe_regions()
    message = refused("UnauthorizedOperation", client("ec2", key).describe_instances)
    encoded = message.split("Encoded authorization failure message: ")[1]
    decoded = json.loads(client("sts").decode_authorization_message(EncodedMessage=encoded)["DecodedMessage"])
    assert decoded["allowed"] is False and decoded["context"]["action"] == "ec2:DescribeInstances", decoded
    refused("InvalidAuthorizationMessageException", client("sts").decode_authorization_message, EncodedMessage="AAAA" + encoded)
    refused("AccessDenied", client("sts", key).decode_authorization_message, EncodedMessage=encoded)


def the_simulator_tells_what_would_be_allowed():
    iam, a = client("iam"), account()
    new_user("simulated", document(action=["iam:Get*"], resource="arn:aws:iam::*:user/${aws:username}"))
    source = f"arn:aws:iam::{a}:user/simulated"

    def decisions(**more):
        results = iam.simulate_principal_policy(PolicySourceArn=source, ActionNames=["iam:GetUser", "iam:DeleteUser"], ResourceArns=[source, source + "2"], **more)
        return [r["EvalDecision"] for r in results["EvaluationResults"]]
    assert decisions() == ["allowed", "implicitDeny", "implicitDeny", "implicitDeny"], decisions()
    denied = decisions(PolicyInputList=[document("Deny", Condition={"StringEquals": {"aws:RequestedRegion": "eu-west-1"}})],
                       ContextEntries=[{"ContextKeyName": "aws:RequestedRegion", "ContextKeyValues": ["eu-west-1"], "ContextKeyType": "string"}])
    assert set(denied) == {"explicitDeny"}, denied
    custom = iam.simulate_custom_policy(PolicyInputList=[document()], PermissionsBoundaryPolicyInputList=[document(action="ec2:*")], ActionNames=["iam:GetUser", "ec2:RunInstances"])
    assert [(r["EvalDecision"], r["PermissionsBoundaryDecisionDetail"]["AllowedByPermissionsBoundary"]) for r in custom["EvaluationResults"]] == [
        ("implicitDeny", False), ("allowed", True)], custom
    refused("InvalidInput", iam.simulate_custom_policy, PolicyInputList=["{}"], ActionNames=["iam:GetUser"])
    refused("NoSuchEntity", iam.simulate_principal_policy, PolicySourceArn=source + "3", ActionNames=["iam:GetUser"])


def boundaries_limit():
    iam = client("iam")
    arn = iam.create_policy(PolicyName="boundary", PolicyDocument=document(action="ec2:*"))["Policy"]["Arn"]
    key = new_user("bounded", document())
    client("iam", key).list_users()
    iam.put_user_permissions_boundary(UserName="bounded", PermissionsBoundary=arn)
    message = refused("AccessDenied", client("iam", key).list_users)
    assert "because no permissions boundary allows the iam:ListUsers action" in message, message
    client("ec2", key).describe_regions()
    assert iam.get_user(UserName="bounded")["User"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == arn
    iam.delete_user_permissions_boundary(UserName="bounded")
    client("iam", key).list_users()


# ---- groups ----

def groups_grant_to_their_members():
    iam = client("iam")
    group = iam.create_group(GroupName="readers", Path="/team/")["Group"]
    assert group["Arn"] == f"arn:aws:iam::{account()}:group/team/readers" and group["GroupId"].startswith("AGPA"), group
    key = new_user("member")
    iam.put_group_policy(GroupName="readers", PolicyName="p", PolicyDocument=document(action="iam:ListUsers"))
    refused("AccessDenied", client("iam", key).list_users)
    iam.add_user_to_group(GroupName="readers", UserName="member")
    iam.add_user_to_group(GroupName="READERS", UserName="member")
    client("iam", key).list_users()
    refused("AccessDenied", client("iam", key).list_roles)
    iam.attach_group_policy(GroupName="readers", PolicyArn="arn:aws:iam::aws:policy/IAMReadOnlyAccess")
    client("iam", key).list_roles()
    iam.put_user_policy(UserName="member", PolicyName="no", PolicyDocument=document("Deny", "iam:ListRoles"))
    assert "explicit deny" in refused("AccessDenied", client("iam", key).list_roles)
    iam.delete_user_policy(UserName="member", PolicyName="no")
    iam.put_group_policy(GroupName="readers", PolicyName="no", PolicyDocument=document("Deny", "iam:ListUsers"))
    refused("AccessDenied", client("iam", key).list_users)
    iam.delete_group_policy(GroupName="readers", PolicyName="no")
    iam.update_group(GroupName="readers", NewGroupName="viewers", NewPath="/")
    client("iam", key).list_users()
    assert [g["GroupName"] for g in iam.list_groups_for_user(UserName="member")["Groups"]] == ["viewers"]
    iam.remove_user_from_group(GroupName="viewers", UserName="member")
    refused("AccessDenied", client("iam", key).list_users)


def groups_are_made_renamed_listed_and_deleted():
    """After the test before: there is the group viewers."""
    iam = client("iam")
    refused("EntityAlreadyExists", iam.create_group, GroupName="Viewers")
    refused("NoSuchEntity", iam.get_group, GroupName="absent")
    refused("NoSuchEntity", iam.add_user_to_group, GroupName="absent", UserName="member")
    refused("NoSuchEntity", iam.add_user_to_group, GroupName="viewers", UserName="absent")
    refused("ValidationError", iam.create_group, GroupName="a b")
    refused("MalformedPolicyDocument", iam.put_group_policy, GroupName="viewers", PolicyName="x", PolicyDocument="{}")
    assert iam.list_group_policies(GroupName="viewers")["PolicyNames"] == ["p"]
    assert iam.get_group_policy(GroupName="viewers", PolicyName="p")["GroupName"] == "viewers"
    assert [p["PolicyName"] for p in iam.list_attached_group_policies(GroupName="viewers")["AttachedPolicies"]] == ["IAMReadOnlyAccess"]
    assert "viewers" in [g["GroupName"] for g in iam.list_groups()["Groups"]]
    entities = iam.list_entities_for_policy(PolicyArn="arn:aws:iam::aws:policy/IAMReadOnlyAccess")
    assert [g["GroupName"] for g in entities["PolicyGroups"]] == ["viewers"], entities
    assert iam.get_account_summary()["SummaryMap"]["Groups"] == 1
    iam.add_user_to_group(GroupName="viewers", UserName="member")
    assert [u["UserName"] for u in iam.get_group(GroupName="viewers")["Users"]] == ["member"]
    for i in range(9):
        iam.create_group(GroupName=f"g{i}")
        iam.add_user_to_group(GroupName=f"g{i}", UserName="member")
    iam.create_group(GroupName="g9")
    refused("LimitExceeded", iam.add_user_to_group, GroupName="g9", UserName="member")
    refused("DeleteConflict", iam.delete_group, GroupName="viewers")
    for key in iam.list_access_keys(UserName="member")["AccessKeyMetadata"]:
        iam.delete_access_key(UserName="member", AccessKeyId=key["AccessKeyId"])
    assert "group" in refused("DeleteConflict", iam.delete_user, UserName="member")
    for i in range(10):
        iam.remove_user_from_group(GroupName=f"g{i}", UserName="member")
        iam.delete_group(GroupName=f"g{i}")
    iam.remove_user_from_group(GroupName="viewers", UserName="member")
    refused("DeleteConflict", iam.delete_group, GroupName="viewers")
    iam.detach_group_policy(GroupName="viewers", PolicyArn="arn:aws:iam::aws:policy/IAMReadOnlyAccess")
    refused("DeleteConflict", iam.delete_group, GroupName="viewers")
    iam.delete_group_policy(GroupName="viewers", PolicyName="p")
    iam.delete_group(GroupName="viewers")
    iam.delete_user(UserName="member")
    assert iam.list_groups()["Groups"] == []
    # one that is made anew under the old name has no members
    iam.create_group(GroupName="viewers")
    assert iam.get_group(GroupName="viewers")["Users"] == []
    iam.delete_group(GroupName="viewers")


# ---- STS ----

def roles_are_assumed_as_trust_and_identity_allow():
    iam, a = client("iam"), account()
    arn = f"arn:aws:iam::{a}:role/ops"
    iam.create_role(RoleName="ops", AssumeRolePolicyDocument=trust({"AWS": f"arn:aws:iam::{a}:root"}), MaxSessionDuration=7200)
    iam.attach_role_policy(RoleName="ops", PolicyArn="arn:aws:iam::aws:policy/IAMReadOnlyAccess")
    stranger = new_user("stranger")
    assert f"not authorized to perform: sts:AssumeRole on resource: {arn}" in refused("AccessDenied", client("sts", stranger).assume_role, RoleArn=arn, RoleSessionName="s1")
    friend = new_user("friend", document(action="sts:AssumeRole", resource=arn))
    out = client("sts", friend).assume_role(RoleArn=arn, RoleSessionName="s1")
    assert out["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{a}:assumed-role/ops/s1", out
    session = out["Credentials"]
    assert session["AccessKeyId"].startswith("ASIA")
    lifetime = session["Expiration"] - datetime.datetime.now(datetime.timezone.utc)
    assert 3590 < lifetime.total_seconds() <= 3600, lifetime
    who = client("sts", session).get_caller_identity()
    assert who["Arn"] == out["AssumedRoleUser"]["Arn"] and who["UserId"] == out["AssumedRoleUser"]["AssumedRoleId"], who
    client("iam", session).list_users()
    refused("AccessDenied", client("iam", session).create_user, UserName="nobody")
    refused("ValidationError", client("sts", friend).assume_role, RoleArn=arn, RoleSessionName="s1", DurationSeconds=10000)
    refused("ValidationError", client("sts", friend).assume_role, RoleArn=arn, RoleSessionName="s 1")
    refused("AccessDenied", client("sts", friend).assume_role, RoleArn=arn + "x", RoleSessionName="s1")
    # a session whose role is gone is worth nothing
    iam.detach_role_policy(RoleName="ops", PolicyArn="arn:aws:iam::aws:policy/IAMReadOnlyAccess")
    refused("AccessDenied", client("iam", session).list_users)
    iam.delete_role(RoleName="ops")
    refused("InvalidClientTokenId", client("sts", session).get_caller_identity)


def session_policies_and_external_ids():
    iam, a = client("iam"), account()
    arn = f"arn:aws:iam::{a}:role/ext"
    iam.create_role(RoleName="ext", AssumeRolePolicyDocument=trust({"AWS": a}, {"StringEquals": {"sts:ExternalId": "secret-1"}}))
    iam.attach_role_policy(RoleName="ext", PolicyArn=ADMIN)
    sts = client("sts")
    refused("AccessDenied", sts.assume_role, RoleArn=arn, RoleSessionName="s1")
    refused("AccessDenied", sts.assume_role, RoleArn=arn, RoleSessionName="s1", ExternalId="secret-2")
    full = sts.assume_role(RoleArn=arn, RoleSessionName="s1", ExternalId="secret-1")["Credentials"]
    client("iam", full).list_users()
    out = sts.assume_role(RoleArn=arn, RoleSessionName="s1", ExternalId="secret-1", Policy=document(action="ec2:*"))
    assert out["PackedPolicySize"] > 0
    assert "because no session policy allows" in refused("AccessDenied", client("iam", out["Credentials"]).list_users)
    client("ec2", out["Credentials"]).describe_regions()
    by_arn = sts.assume_role(RoleArn=arn, RoleSessionName="s1", ExternalId="secret-1", PolicyArns=[{"arn": "arn:aws:iam::aws:policy/IAMReadOnlyAccess"}])["Credentials"]
    client("iam", by_arn).list_users()
    refused("UnauthorizedOperation", client("ec2", by_arn).describe_regions)
    refused("MalformedPolicyDocument", sts.assume_role, RoleArn=arn, RoleSessionName="s1", ExternalId="secret-1", Policy="{}")


def tags_and_source_identity_travel_with_the_session():
    iam, a = client("iam"), account()
    statement = [{"Effect": "Allow", "Principal": {"AWS": a}, "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]}]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
    for name in ("tag1", "tag2"):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy)
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "iam:ListUsers", "Resource": "*", "Condition": {"StringEquals": {"aws:PrincipalTag/team": "red", "aws:SourceIdentity": "jane"}}},
            {"Effect": "Allow", "Action": ["sts:*"], "Resource": "*"}]}))
    sts = client("sts")
    bare = sts.assume_role(RoleArn=f"arn:aws:iam::{a}:role/tag1", RoleSessionName="s1")["Credentials"]
    refused("AccessDenied", client("iam", bare).list_users)
    tagged = sts.assume_role(RoleArn=f"arn:aws:iam::{a}:role/tag1", RoleSessionName="s1", SourceIdentity="jane", TransitiveTagKeys=["team"],
                             Tags=[{"Key": "team", "Value": "red"}, {"Key": "other", "Value": "x"}])
    assert tagged["SourceIdentity"] == "jane"
    client("iam", tagged["Credentials"]).list_users()
    chained = client("sts", tagged["Credentials"]).assume_role(RoleArn=f"arn:aws:iam::{a}:role/tag2", RoleSessionName="s2")["Credentials"]
    client("iam", chained).list_users()
    message = refused("ValidationError", client("sts", tagged["Credentials"]).assume_role, RoleArn=f"arn:aws:iam::{a}:role/tag2", RoleSessionName="s2", DurationSeconds=3601)
    assert "1 hour session limit for roles assumed by role chaining" in message, message
    refused("AccessDenied", client("sts", tagged["Credentials"]).assume_role, RoleArn=f"arn:aws:iam::{a}:role/tag2", RoleSessionName="s2", SourceIdentity="joe")
    # without sts:TagSession in the trust policy there are no tags
    iam.create_role(RoleName="notags", AssumeRolePolicyDocument=trust({"AWS": a}))
    assert "sts:TagSession" in refused("AccessDenied", sts.assume_role, RoleArn=f"arn:aws:iam::{a}:role/notags", RoleSessionName="s1", Tags=[{"Key": "a", "Value": "b"}])


def a_session_can_be_revoked_by_its_age():
    iam, a = client("iam"), account()
    iam.create_role(RoleName="revoked", AssumeRolePolicyDocument=trust({"AWS": a}))
    iam.attach_role_policy(RoleName="revoked", PolicyArn=ADMIN)
    session = client("sts").assume_role(RoleArn=f"arn:aws:iam::{a}:role/revoked", RoleSessionName="s1")["Credentials"]
    client("iam", session).list_users()
    time.sleep(1.1)
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    iam.put_role_policy(RoleName="revoked", PolicyName="AWSRevokeOlderSessions",
                        PolicyDocument=document("Deny", Condition={"DateLessThan": {"aws:TokenIssueTime": now}}))
    refused("AccessDenied", client("iam", session).list_users)
    time.sleep(1.1)
    client("iam", client("sts").assume_role(RoleArn=f"arn:aws:iam::{a}:role/revoked", RoleSessionName="s1")["Credentials"]).list_users()


def session_tokens_of_users():
    key = new_user("token", document())
    session = client("sts", key).get_session_token(DurationSeconds=900)["Credentials"]
    assert client("sts", session).get_caller_identity()["Arn"].endswith(":user/token")
    client("ec2", session).describe_regions()
    refused("InvalidClientTokenId", client("iam", session).list_users)
    refused("AccessDenied", client("sts", session).get_session_token)
    wrong = dict(session, SessionToken=session["SessionToken"][:-8] + "AAAAAAA=")
    refused("InvalidClientTokenId", client("sts", wrong).get_caller_identity)
    refused("InvalidClientTokenId", client("sts", dict(session, SessionToken=None)).get_caller_identity)
    refused("InvalidClientTokenId", client("sts", dict(key, SessionToken=session["SessionToken"])).get_caller_identity)


# ---- signatures ----

def wrong_signatures_are_refused():
    session = boto3.session.Session().get_credentials()
    good = {"AccessKeyId": session.access_key, "SecretAccessKey": session.secret_key}
    message = refused("SignatureDoesNotMatch", client("sts", dict(good, SecretAccessKey="x" * 40)).get_caller_identity)
    assert message.startswith("The request signature we calculated does not match the signature you provided."), message
    assert refused("InvalidClientTokenId", client("sts", dict(good, AccessKeyId="AKIAAAAAAAAAAAAAAAAA")).get_caller_identity) == "The security token included in the request is invalid."
    code, body = fetch(endpoint() + "/?Action=GetCallerIdentity&Version=2011-06-15")
    assert code == 403 and "<Code>MissingAuthenticationToken</Code>" in body, body
    code, body = fetch(endpoint() + "/", headers={"Authorization": "AWS4-HMAC-SHA256 Credential=a/b"})
    assert code == 400 and "<Code>IncompleteSignature</Code>" in body, body


def endpoint():
    return client("sts").meta.endpoint_url


def fetch(url, headers=None):
    import ssl
    import os
    context = ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE"))
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}), context=context) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()


def presign(query, headers=None, expires=60, credentials=None):
    c = boto3.session.Session().get_credentials()
    request = AWSRequest(method="GET", url=endpoint() + "/?" + query, headers=headers or {})
    SigV4QueryAuth(credentials or Credentials(c.access_key, c.secret_key), "sts", "us-east-1", expires=expires).add_auth(request)
    return request.url


def presigned_requests_are_verified():
    url = presign("Action=GetCallerIdentity&Version=2011-06-15", {"x-k8s-aws-id": "my cluster"})
    code, body = fetch(url, {"x-k8s-aws-id": "my   cluster "})
    assert code == 200 and ":user/admin" in body, body
    code, body = fetch(url, {"x-k8s-aws-id": "my   cluster ", "Accept": "application/json"})
    assert json.loads(body)["GetCallerIdentityResponse"]["GetCallerIdentityResult"]["Arn"].endswith(":user/admin"), body
    for bad in (url + "0", url + "&Extra=1", url.replace("Expires=60", "Expires=61"), url.replace("GetCallerIdentity", "GetSessionToken")):
        code, body = fetch(bad, {"x-k8s-aws-id": "my cluster"})
        assert code == 403 and "SignatureDoesNotMatch" in body, (bad, body)
    code, body = fetch(url, {"x-k8s-aws-id": "other"})
    assert code == 403 and "SignatureDoesNotMatch" in body, body
    short = presign("Action=GetCallerIdentity&Version=2011-06-15", expires=1)
    time.sleep(2.2)
    code, body = fetch(short)
    assert code == 400 and "<Code>RequestExpired</Code>" in body, body
    code, body = fetch(presign("Action=GetCallerIdentity&Version=2011-06-15", expires=604801))
    assert code == 400, body


def unknown_actions_and_services():
    code, body = fetch(presign("Action=NoSuchThing&Version=2011-06-15"))
    assert code == 400 and "<Code>InvalidAction</Code><Message>Could not find operation NoSuchThing for version 2011-06-15" in body, body
    message = refused("SignatureDoesNotMatch", client("sns").list_topics)
    assert "Credential should be scoped to a service of this endpoint, not 'sns'" in message, message


# ---- EC2 ----

def ec2_describes_what_is_there():
    ec2 = client("ec2")
    assert ec2.describe_instances()["Reservations"] == []
    assert [r["RegionName"] for r in ec2.describe_regions()["Regions"]] == ["us-east-1"]
    assert ec2.describe_availability_zones()["AvailabilityZones"][0]["ZoneName"] == "us-east-1a"
    refused("InvalidInstanceID.NotFound", ec2.describe_instances, InstanceIds=["i-00000000000000000"])
    refused("InvalidParameterValue", ec2.describe_instances, Filters=[{"Name": "nonsense", "Values": ["x"]}])


def ec2_shows_nodes_as_instances():
    """After aws.bats has made the Node n1."""
    ec2 = client("ec2")
    instances = [i for r in ec2.describe_instances(Filters=[{"Name": "tag:Name", "Values": ["n?"]}])["Reservations"] for i in r["Instances"]]
    assert len(instances) == 1, instances
    i = instances[0]
    assert i["InstanceId"] == "i-0123456789abcdef0" and i["InstanceType"] == "m5.large" and i["Placement"]["AvailabilityZone"] == "eu-west-1b", i
    assert i["PrivateIpAddress"] == "192.0.2.7" and i["State"]["Name"] == "running" and i["Architecture"] == "x86_64", i
    assert "eu-west-1" in [r["RegionName"] for r in ec2.describe_regions()["Regions"]]
    t = ec2.describe_instance_types(InstanceTypes=["m5.large"])["InstanceTypes"][0]
    assert t["VCpuInfo"]["DefaultVCpus"] == 2 and t["MemoryInfo"]["SizeInMiB"] == 8192, t


if __name__ == "__main__":
    for test in sys.argv[1:]:
        globals()[test]()
