//! Ready-made mappings of standard tables, for `init --template`. Tables and
//! columns: Dynamics sheet, section 9. The Campaign names are proposals: profile
//! is Campaign's own, the `cus…` resources must be made there first.

use std::fmt::Write as _;

/// A ready-made mapping.
#[derive(Debug)]
pub(crate) struct Template {
    /// What `--template` takes.
    pub(crate) name: &'static str,
    /// Logical name of the table.
    pub(crate) table: &'static str,
    /// API name of the resource.
    pub(crate) resource: &'static str,
    /// What must be known before it is used; one comment line each.
    remarks: &'static [&'static str],
    /// The field, its filter and the parameter.
    key: [&'static str; 3],
    /// Read in full and compared, where Dynamics may refuse to track it.
    diff: bool,
    /// Column, field, and further keys of the entry.
    fields: &'static [(&'static str, &'static str, &'static str)],
    /// Links to records of other templates.
    links: &'static [Link],
}

/// A link of a template.
#[derive(Debug)]
struct Link {
    from: &'static str,
    to: &'static str,
    table: &'static str,
    /// `wait` where the record is nothing without its parent.
    missing_parent: &'static str,
}

const CRM_ID: [&str; 3] = ["cusCrmId", "byCrmId", "crmId_parameter"];

const CUT: &str = ", on_too_long = \"cut\"";

/// All templates: parents before children.
pub(crate) const TEMPLATES: &[Template] = &[
    Template {
        name: "contacts",
        table: "contact",
        resource: "profile",
        remarks: &[],
        key: ["externalId", "byExternalId", "externalId_parameter"],
        diff: false,
        fields: &[
            ("salutation", "salutation", CUT),
            ("firstname", "firstName", ""),
            ("middlename", "middleName", ""),
            ("lastname", "lastName", ""),
            ("emailaddress1", "email", ""),
            ("telephone1", "phone", ""),
            ("mobilephone", "mobilePhone", ""),
            ("fax", "fax", ""),
            ("birthdate", "birthDate", ""),
            (
                "gendercode",
                "gender",
                ", replace = [{ value = \"Male\", with = \"male\" }, { value = \"Female\", with = \"female\" }]",
            ),
            ("donotbulkemail", "blackListEmail", ""),
            ("donotphone", "blackListPhone", ""),
            ("donotfax", "blackListFax", ""),
            ("donotpostalmail", "blackListPostalMail", ""),
        ],
        links: &[],
    },
    Template {
        name: "accounts",
        table: "account",
        resource: "cusAccount",
        remarks: &[],
        key: CRM_ID,
        diff: false,
        fields: &[
            ("name", "cusName", ""),
            ("accountnumber", "cusNumber", ""),
            ("emailaddress1", "cusEmail", ""),
            ("telephone1", "cusPhone", ""),
            ("fax", "cusFax", ""),
            ("websiteurl", "cusWebsite", ""),
            ("address1_city", "cusCity", ""),
            ("address1_postalcode", "cusZipCode", ""),
            ("address1_country", "cusCountry", ""),
            ("revenue", "cusRevenue", ""),
            ("numberofemployees", "cusEmployees", ""),
            ("donotbulkemail", "cusNoBulkEmail", ""),
            ("description", "cusDescription", ""),
            ("statuscode", "cusStatus", ""),
        ],
        links: &[Link {
            from: "primarycontactid",
            to: "accountContact",
            table: "contact",
            missing_parent: "send-without",
        }],
    },
    Template {
        name: "leads",
        table: "lead",
        resource: "cusLead",
        remarks: &[],
        key: CRM_ID,
        diff: false,
        fields: &[
            ("firstname", "cusFirstName", ""),
            ("lastname", "cusLastName", ""),
            ("subject", "cusSubject", CUT),
            ("companyname", "cusCompany", ""),
            ("jobtitle", "cusJobTitle", ""),
            ("emailaddress1", "cusEmail", ""),
            ("telephone1", "cusPhone", ""),
            ("donotbulkemail", "cusNoBulkEmail", ""),
            ("statuscode", "cusStatus", ""),
        ],
        links: &[],
    },
    Template {
        name: "opportunities",
        table: "opportunity",
        resource: "cusOpportunity",
        remarks: &[],
        key: CRM_ID,
        diff: false,
        fields: &[
            ("name", "cusName", CUT),
            ("estimatedvalue", "cusValue", ""),
            ("estimatedclosedate", "cusCloseDate", ""),
            ("description", "cusDescription", ""),
            ("statuscode", "cusStatus", ""),
        ],
        links: &[
            Link {
                from: "parentaccountid",
                to: "opportunityAccount",
                table: "account",
                missing_parent: "send-without",
            },
            Link {
                from: "parentcontactid",
                to: "opportunityContact",
                table: "contact",
                missing_parent: "send-without",
            },
        ],
    },
    Template {
        name: "opportunity-contact-roles",
        table: "customeropportunityrole",
        resource: "cusOpportunityRole",
        remarks: &[
            "Newer environments keep these roles in the table `connection`.",
            "cusRole holds the id of the role: its name lies in another table.",
        ],
        key: CRM_ID,
        diff: true,
        fields: &[("opportunityroleid", "cusRole", ""), ("description", "cusDescription", "")],
        links: &[
            Link {
                from: "opportunityid",
                to: "roleOpportunity",
                table: "opportunity",
                missing_parent: "wait",
            },
            // A customer may also be an account.
            Link {
                from: "customerid",
                to: "roleContact",
                table: "contact",
                missing_parent: "send-without",
            },
        ],
    },
    Template {
        name: "campaigns",
        table: "campaign",
        resource: "cusCampaign",
        remarks: &[],
        key: CRM_ID,
        diff: false,
        fields: &[
            ("name", "cusName", ""),
            ("codename", "cusCode", ""),
            ("proposedstart", "cusStart", ""),
            ("proposedend", "cusEnd", ""),
            ("actualstart", "cusActualStart", ""),
            ("actualend", "cusActualEnd", ""),
            ("budgetedcost", "cusBudget", ""),
            ("description", "cusDescription", ""),
            ("statuscode", "cusStatus", ""),
        ],
        links: &[],
    },
    Template {
        name: "marketing-lists",
        table: "list",
        resource: "cusList",
        remarks: &[],
        key: CRM_ID,
        diff: false,
        fields: &[
            ("listname", "cusName", ""),
            ("purpose", "cusPurpose", CUT),
            ("createdfromcode", "cusMemberType", ""),
            ("type", "cusDynamic", ""),
            ("lastusedon", "cusLastUsed", ""),
            ("description", "cusDescription", ""),
            ("statuscode", "cusStatus", ""),
        ],
        links: &[],
    },
    Template {
        name: "marketing-list-members",
        table: "listmember",
        resource: "cusListMember",
        remarks: &[
            "Dynamic lists have no stored members: Dynamics finds them by a query when it needs them.",
        ],
        key: CRM_ID,
        diff: true,
        fields: &[("entitytype", "cusMemberType", ""), ("createdon", "cusJoined", "")],
        links: &[
            Link { from: "listid", to: "memberList", table: "list", missing_parent: "wait" },
            // A member is one of the two, or a lead.
            Link {
                from: "entityid",
                to: "memberContact",
                table: "contact",
                missing_parent: "send-without",
            },
            Link {
                from: "entityid",
                to: "memberAccount",
                table: "account",
                missing_parent: "send-without",
            },
        ],
    },
];

/// The `[[ingress.table]]` blocks of the named templates, parents first; `Err`
/// holds a name that is none.
pub(crate) fn template_blocks<'n>(names: &[&'n str]) -> Result<Vec<String>, &'n str> {
    let known = |name: &str| TEMPLATES.iter().any(|template| template.name == name);
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        return Err(unknown);
    }
    let chosen: Vec<&Template> =
        TEMPLATES.iter().filter(|template| names.contains(&template.name)).collect();
    Ok(chosen.iter().map(|template| block(template, &chosen)).collect())
}

fn block(template: &Template, chosen: &[&Template]) -> String {
    let mut out = format!("# {}\n", template.name);
    for remark in template.remarks {
        let _ = writeln!(out, "# {remark}");
    }
    let [to, filter, parameter] = template.key;
    let _ = write!(
        out,
        "[[ingress.table]]\ndynamics = \"{}\"\ncampaign = \"{}\"\n# The table's primary id is the key.\nkey = {{ to = \"{to}\", filter = \"{filter}\", parameter = \"{parameter}\" }}\n",
        template.table, template.resource
    );
    if template.diff {
        out.push_str(
            "# Dynamics may refuse to track this table, so each pass reads all its rows.\ntracking = \"diff\"\n",
        );
    }
    out.push_str("apply_deletes = false\nfields = [\n");
    for (from, to, more) in template.fields {
        let _ = writeln!(out, "  {{ from = \"{from}\", to = \"{to}\"{more} }},");
    }
    out.push_str("]\n");
    out.push_str(&links(template, chosen));
    out
}

/// Links to tables that are mapped too; the others as comments.
fn links(template: &Template, chosen: &[&Template]) -> String {
    if template.links.is_empty() {
        return String::new();
    }
    let mapped = |link: &Link| chosen.iter().any(|other| other.table == link.table);
    let none = !template.links.iter().any(mapped);
    let mut out = String::new();
    if none {
        out.push_str("# When their tables are mapped too:\n");
    }
    out.push_str(if none { "# links = [\n" } else { "links = [\n" });
    for link in template.links {
        let comment = if none || !mapped(link) { "# " } else { "" };
        let _ = writeln!(
            out,
            "{comment}  {{ from = \"{}\", to = \"{}\", table = \"{}\", missing_parent = \"{}\" }},",
            link.from, link.to, link.table, link.missing_parent
        );
    }
    out.push_str(if none { "# ]\n" } else { "]\n" });
    out
}
