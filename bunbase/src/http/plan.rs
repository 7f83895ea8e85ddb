//! Where each field of one route comes from: resolved once, at start-up.

use std::sync::Arc;

use actix_web::http::header::HeaderName;

use crate::{
    action::placement::{Placement, parameter_name, parameters},
    error::Place,
    registry::{Registered, Route},
    schema::Field,
};

/// The places of all fields of one route.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) fields: &'static [Field],
    /// The fields that come from text, with where from.
    pub(crate) texts: Vec<(usize, TextSource)>,
    pub(crate) body: BodyPlan,
    /// The route's template, as spans name it.
    pub(crate) template: String,
    /// The names of the template's parameters, in its order.
    pub(crate) param_names: Arc<[String]>,
    /// Largest body in bytes.
    pub(crate) body_limit: u64,
}

/// Where a text comes from.
#[derive(Clone, Debug)]
pub(crate) enum TextSource {
    /// The parameter of this index in the template.
    Path(usize),
    /// A query key.
    Query(String),
    /// A header.
    Header(HeaderName),
    /// A cookie.
    Cookie(String),
}

/// What the body is.
#[derive(Debug)]
pub(crate) enum BodyPlan {
    /// Not looked at.
    None,
    /// An object of these fields; `required` when a missing body is a mistake.
    Fields { mask: u128, required: bool },
    /// One field.
    Whole { field: usize, required: bool },
    /// A form of these fields and files.
    Form { mask: u128 },
}

impl TextSource {
    pub(crate) fn place(&self) -> Place {
        match self {
            Self::Path(_) => Place::Path,
            Self::Query(_) => Place::Query,
            Self::Header(_) => Place::Header,
            Self::Cookie(_) => Place::Cookie,
        }
    }
}

impl Plan {
    pub(crate) fn new(action: &Registered, route: &Route, body_limit: u64) -> Self {
        let fields = action.entry.fields;
        let param_names: Arc<[String]> = parameters(&route.path).map(str::to_owned).collect();
        let mut texts = Vec::new();
        let (mut mask, mut whole, mut form) = (0_u128, None, false);
        for (index, field) in fields.iter().enumerate() {
            let placement = Placement::of(field, route.method, route.own);
            let name = parameter_name(field, placement);
            match placement {
                Placement::Path => {
                    // The registry has checked that the template has it.
                    if let Some(position) = param_names.iter().position(|param| *param == name) {
                        texts.push((index, TextSource::Path(position)));
                    }
                }
                Placement::Query => texts.push((index, TextSource::Query(name))),
                Placement::Header => {
                    // The macro has checked the name's syntax.
                    if let Ok(name) = HeaderName::from_bytes(name.as_bytes()) {
                        texts.push((index, TextSource::Header(name)));
                    }
                }
                Placement::Cookie => texts.push((index, TextSource::Cookie(name))),
                Placement::Body => whole = Some(index),
                Placement::BodyField => mask |= 1 << index,
                Placement::File => {
                    mask |= 1 << index;
                    form = true;
                }
            }
        }
        let required =
            |mask: u128| fields.iter().enumerate().any(|(index, field)| mask >> index & 1 == 1 && field.required);
        let body = match whole {
            Some(field) => BodyPlan::Whole { field, required: fields[field].required },
            None if form => BodyPlan::Form { mask },
            None if mask != 0 => BodyPlan::Fields { mask, required: required(mask) },
            None => BodyPlan::None,
        };
        let body_limit = action.entry.meta.body_limit_bytes.unwrap_or(body_limit);
        Self { fields, texts, body, template: route.path.clone(), param_names, body_limit }
    }
}
