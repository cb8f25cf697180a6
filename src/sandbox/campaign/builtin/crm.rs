//! Targets of the CRM's sales and marketing tables.
//!
//! Owns: their fields, keys and filters as data. Those that a link leads to or
//! from profiles are under Ext; leads and campaigns stand alone (campaign
//! sheet 2).

use super::parts::{audit, filter, key, link, text};
use crate::sandbox::campaign::schema::FilterOperator::Equal;
use crate::sandbox::campaign::schema::{Api, FieldType, Resource};

/// A resource with the key that all of these have.
fn crm(name: &str, label: &str, api: Api) -> Resource {
    let stem = name.trim_start_matches("cus").to_lowercase();
    let mut resource = Resource::new(name, label, &format!("cus:{stem}"), &[api]);
    audit(&mut resource);
    resource.add("cusCrmId", text(64)).indexed = true;
    resource.keys.push(key("cusCrmId", false, false, &format!("cus{stem}_crmid"), "scrmid"));
    resource.filters.push(filter("byCrmId", "crmId_parameter", "cusCrmId", Equal, true));
    resource
}

fn texts(resource: &mut Resource, list: &[(&str, usize)]) {
    for (name, max) in list {
        resource.add(name, text(*max));
    }
}

fn account() -> Resource {
    let mut account = crm("cusAccount", "Account", Api::Ext);
    texts(
        &mut account,
        &[
            ("cusName", 160),
            ("cusNumber", 20),
            ("cusEmail", 100),
            ("cusPhone", 50),
            ("cusFax", 50),
            ("cusWebsite", 200),
            ("cusCity", 80),
            ("cusZipCode", 20),
            ("cusCountry", 80),
            ("cusStatus", 50),
        ],
    );
    account.add("cusDescription", FieldType::Memo);
    account.add("cusRevenue", FieldType::Double);
    account.add("cusEmployees", FieldType::Long);
    account.add("cusNoBulkEmail", FieldType::Boolean);
    account.add("accountContact", link("profile"));
    account
}

fn lead() -> Resource {
    let mut lead = crm("cusLead", "Lead", Api::Custom);
    texts(
        &mut lead,
        &[
            ("cusFirstName", 50),
            ("cusLastName", 50),
            ("cusSubject", 255),
            ("cusCompany", 100),
            ("cusJobTitle", 100),
            ("cusEmail", 100),
            ("cusPhone", 50),
            ("cusStatus", 50),
        ],
    );
    lead.add("cusNoBulkEmail", FieldType::Boolean);
    lead
}

fn opportunity() -> Resource {
    let mut opportunity = crm("cusOpportunity", "Opportunity", Api::Ext);
    texts(&mut opportunity, &[("cusName", 255), ("cusStatus", 50)]);
    opportunity.add("cusDescription", FieldType::Memo);
    opportunity.add("cusValue", FieldType::Double);
    opportunity.add("cusCloseDate", FieldType::Date);
    opportunity.add("opportunityAccount", link("cusAccount"));
    opportunity.add("opportunityContact", link("profile"));
    opportunity
}

fn opportunity_role() -> Resource {
    let mut role = crm("cusOpportunityRole", "Opportunity role", Api::Ext);
    texts(&mut role, &[("cusName", 255), ("cusRole", 100)]);
    role.add("cusDescription", FieldType::Memo);
    role.add("roleOpportunity", link("cusOpportunity"));
    role.add("roleContact", link("profile"));
    role.parent = Some("roleOpportunity".to_owned());
    role
}

fn campaign() -> Resource {
    let mut campaign = crm("cusCampaign", "Campaign", Api::Custom);
    texts(&mut campaign, &[("cusName", 128), ("cusCode", 32), ("cusStatus", 50)]);
    campaign.add("cusDescription", FieldType::Memo);
    campaign.add("cusBudget", FieldType::Double);
    for name in ["cusStart", "cusEnd", "cusActualStart", "cusActualEnd"] {
        campaign.add(name, FieldType::DateTime);
    }
    campaign
}

fn list() -> Resource {
    let mut list = crm("cusList", "Marketing list", Api::Ext);
    texts(
        &mut list,
        &[("cusName", 128), ("cusPurpose", 255), ("cusMemberType", 50), ("cusStatus", 50)],
    );
    list.add("cusDescription", FieldType::Memo);
    list.add("cusDynamic", FieldType::Boolean);
    list.add("cusLastUsed", FieldType::DateTime);
    list
}

fn list_member() -> Resource {
    let mut member = crm("cusListMember", "List member", Api::Ext);
    texts(&mut member, &[("cusMemberType", 50)]);
    member.add("cusJoined", FieldType::DateTime);
    member.add("memberList", link("cusList"));
    member.add("memberContact", link("profile"));
    member.add("memberAccount", link("cusAccount"));
    member.parent = Some("memberList".to_owned());
    member
}

/// All of them.
pub(super) fn all() -> [Resource; 7] {
    [account(), lead(), opportunity(), opportunity_role(), campaign(), list(), list_member()]
}
