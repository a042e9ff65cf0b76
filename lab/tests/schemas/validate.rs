//! The part of JSON Schema that docs/schema uses; a keyword it does not know is a panic, never passed over.

use serde_json::{Map, Value};

/// What is wrong with the value, each with the path to it.
pub(crate) fn faults(schema: &Value, value: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    Check { root: schema }.value(schema, value, "$", &mut faults);
    faults
}

struct Check<'a> {
    root: &'a Value,
}

impl Check<'_> {
    fn value(&self, schema: &Value, value: &Value, path: &str, faults: &mut Vec<String>) {
        let keywords =
            schema.as_object().unwrap_or_else(|| panic!("{path}: a schema is an object"));
        for (keyword, rule) in keywords {
            match keyword.as_str() {
                "$schema"
                | "$defs"
                | "title"
                | "description"
                | "required"
                | "properties"
                | "additionalProperties"
                | "propertyNames" => {}
                "$ref" => self.value(self.definition(rule), value, path, faults),
                "allOf" => list(rule).iter().for_each(|one| self.value(one, value, path, faults)),
                "anyOf" | "oneOf" => self.one_of(list(rule), value, path, faults),
                "items" => self.items(rule, value, path, faults),
                "prefixItems" => {
                    for (at, (one, item)) in list(rule).iter().zip(list(value)).enumerate() {
                        self.value(one, item, &format!("{path}[{at}]"), faults);
                    }
                }
                _ => faults
                    .extend(simple(keyword, rule, value).map(|what| format!("{path}: {what}"))),
            }
        }
        if let (Some("object"), Some(object)) =
            (keywords.get("type").and_then(Value::as_str), value.as_object())
        {
            self.object(keywords, object, path, faults);
        }
    }

    fn object(
        &self,
        schema: &Map<String, Value>,
        object: &Map<String, Value>,
        path: &str,
        faults: &mut Vec<String>,
    ) {
        for name in schema.get("required").map_or(&[][..], list) {
            let name = name.as_str().unwrap_or_default();
            if !object.contains_key(name) {
                faults.push(format!("{path}: no field {name:?}"));
            }
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, value) in object {
            let named = properties.and_then(|properties| properties.get(name));
            match named.or_else(|| schema.get("additionalProperties")) {
                Some(one) => self.value(one, value, &format!("{path}.{name}"), faults),
                None => faults.push(format!("{path}: no schema for the field {name:?}")),
            }
            if let Some(names) = schema.get("propertyNames") {
                self.value(names, &Value::String(name.clone()), path, faults);
            }
        }
    }

    /// With one candidate of the right type its own faults say more than that none fits.
    fn one_of(&self, schemas: &[Value], value: &Value, path: &str, faults: &mut Vec<String>) {
        let mut nearest: Option<Vec<String>> = None;
        for schema in schemas {
            let mut own = Vec::new();
            self.value(schema, value, path, &mut own);
            if own.is_empty() {
                return;
            }
            if own.iter().all(|fault| fault.starts_with(&format!("{path}."))) {
                nearest = Some(own);
            }
        }
        faults
            .extend(nearest.unwrap_or_else(|| {
                vec![format!("{path}: {value} is none of what may stand here")]
            }));
    }

    fn items(&self, schema: &Value, value: &Value, path: &str, faults: &mut Vec<String>) {
        for (at, item) in list(value).iter().enumerate() {
            self.value(schema, item, &format!("{path}[{at}]"), faults);
        }
    }

    fn definition(&self, reference: &Value) -> &Value {
        let name = reference.as_str().and_then(|text| text.strip_prefix("#/$defs/"));
        let found = name.and_then(|name| self.root["$defs"].get(name));
        found.unwrap_or_else(|| panic!("{reference} names no definition"))
    }
}

/// The keywords that look at a value alone.
fn simple(keyword: &str, rule: &Value, value: &Value) -> Option<String> {
    let number = |value: &Value| value.as_f64().unwrap_or_default();
    let count = list(value).len() as u64;
    let holds = match keyword {
        "type" => is_of_type(rule, value),
        "const" => rule == value,
        "enum" => list(rule).contains(value),
        "minimum" => number(value) >= number(rule),
        "maximum" => number(value) <= number(rule),
        "minItems" => rule.as_u64().is_some_and(|least| count >= least),
        "maxItems" => rule.as_u64().is_some_and(|most| count <= most),
        other => panic!("the schema keyword {other:?} is not known here"),
    };
    (!holds).then(|| format!("{value} is not of {keyword} {rule}"))
}

fn is_of_type(rule: &Value, value: &Value) -> bool {
    match rule.as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        Some("integer") => value.is_u64() || value.is_i64(),
        _ => panic!("the schema type {rule} is not known here"),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
