//! Calls as a script writes them: `setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0`.
//!
//! This reads any call; what one means is the replay's matter.

use super::cursor::Cursor;
use super::{Error, time};
use crate::tcp::moment::Moment;

/// A call and what it must return.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Call {
    /// When it returns, if it blocks.
    pub until: Option<Moment>,
    /// Its name.
    pub name: String,
    /// What it is given.
    pub arguments: Vec<Value>,
    /// What it must return.
    pub result: Value,
    /// The error that it must set, by name.
    pub errno: Option<String>,
}

/// A value in a call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Value {
    /// Left open (`...`).
    Open,
    /// A whole number.
    Number(i64),
    /// Names joined by `|`.
    Names(Vec<String>),
    /// A text in quotes.
    Text(String),
    /// `[a, b]`
    List(Vec<Self>),
    /// `{name=value, …}`
    Fields(Vec<(String, Self)>),
}

impl Call {
    /// The argument at this place, as a number.
    pub fn number(&self, at: usize) -> Option<i64> {
        match self.arguments.get(at)? {
            Value::Number(number) => Some(*number),
            Value::List(list) => match list.as_slice() {
                [Value::Number(number)] => Some(*number),
                _ => None,
            },
            _ => None,
        }
    }

    /// The names at this place.
    pub fn names(&self, at: usize) -> &[String] {
        match self.arguments.get(at) {
            Some(Value::Names(names)) => names,
            _ => &[],
        }
    }

    /// The first name at this place; empty where there is none.
    pub fn name_at(&self, at: usize) -> &str {
        self.names(at).first().map_or("", String::as_str)
    }

    /// A field of the argument at this place.
    pub fn field(&self, at: usize, name: &str) -> Option<i64> {
        let Value::Fields(fields) = self.arguments.get(at)? else { return None };
        fields.iter().find_map(|(known, value)| match value {
            Value::Number(number) if known == name => Some(*number),
            _ => None,
        })
    }
}

/// Reads a call, its blocking end before it.
pub(super) fn call(cursor: &mut Cursor<'_>) -> Result<Call, Error> {
    let until = time::until(cursor)?;
    cursor.skip()?;
    let name = cursor.word().to_owned();
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(cursor.expected("a segment ('<', '>'), a call, '`' or '%{'"));
    }
    cursor.must("(")?;
    let arguments = list(cursor, ")", DEPTH)?;
    cursor.must("=")?;
    let result = value(cursor, DEPTH)?;
    let errno = errno(cursor);
    cursor.skip_on_line();
    if cursor.peek() == Some('(') {
        cursor.take_until(")", "this note")?;
    }
    Ok(Call { until, name, arguments, result, errno })
}

fn errno(cursor: &mut Cursor<'_>) -> Option<String> {
    let word = cursor.next_word();
    if !word.starts_with('E') {
        return None;
    }
    cursor.skip_on_line();
    Some(cursor.word().to_owned())
}

/// Values up to the closing bracket.
fn list(cursor: &mut Cursor<'_>, close: &str, depth: u8) -> Result<Vec<Value>, Error> {
    let mut all = Vec::new();
    loop {
        cursor.skip()?;
        if cursor.eat(close) {
            return Ok(all);
        }
        if !all.is_empty() {
            cursor.must(",")?;
            cursor.skip()?;
            if cursor.eat(close) {
                return Ok(all);
            }
        }
        all.push(value(cursor, depth)?);
    }
}

fn value(cursor: &mut Cursor<'_>, depth: u8) -> Result<Value, Error> {
    cursor.skip()?;
    let Some(depth) = depth.checked_sub(1) else {
        return Err(cursor.error("values are nested too deep"));
    };
    if cursor.eat("...") {
        return Ok(Value::Open);
    }
    match cursor.peek() {
        Some('[') => {
            cursor.bump();
            list(cursor, "]", depth).map(Value::List)
        }
        Some('{') => {
            cursor.bump();
            fields(cursor, depth).map(Value::Fields)
        }
        Some('"') => text(cursor),
        Some('-' | '0'..='9') => number(cursor),
        Some(c) if c.is_ascii_alphabetic() || c == '_' => names(cursor),
        _ => Err(cursor.expected("a value")),
    }
}

/// `name=value` pairs up to `}`; a value alone has no name, and a call within is its arguments.
fn fields(cursor: &mut Cursor<'_>, depth: u8) -> Result<Vec<(String, Value)>, Error> {
    let mut all = Vec::new();
    loop {
        cursor.skip()?;
        if cursor.eat("}") {
            return Ok(all);
        }
        if !all.is_empty() {
            cursor.must(",")?;
            cursor.skip()?;
        }
        let mut ahead = cursor.clone();
        let name = ahead.word().to_owned();
        ahead.skip()?;
        if ahead.eat("(") {
            ahead.take_until(")", "this length")?;
            ahead.skip()?;
        }
        if !name.is_empty() && ahead.eat("=") {
            *cursor = ahead;
            all.push((name, value(cursor, depth)?));
        } else {
            all.push((String::new(), value(cursor, depth)?));
        }
    }
}

fn text(cursor: &mut Cursor<'_>) -> Result<Value, Error> {
    let start = cursor.clone();
    cursor.bump();
    let mut text = String::new();
    loop {
        match cursor.bump() {
            None => return Err(start.error("this text has no closing quote")),
            Some('"') => return Ok(Value::Text(text)),
            Some('\\') => text.extend(cursor.bump()),
            Some(other) => text.push(other),
        }
    }
}

fn number(cursor: &mut Cursor<'_>) -> Result<Value, Error> {
    let start = cursor.clone();
    let negative = cursor.eat("-");
    let digits = cursor.word();
    let number = match digits.strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    let number = number.map_err(|_| start.expected("a whole number"))?;
    // A fraction, in the few calls that take one, is cut off.
    if cursor.rest().starts_with('.') && !cursor.rest().starts_with("...") {
        cursor.bump();
        cursor.take_while(|c| c.is_ascii_digit());
    }
    Ok(Value::Number(if negative { -number } else { number }))
}

fn names(cursor: &mut Cursor<'_>) -> Result<Value, Error> {
    let mut all = vec![cursor.word().to_owned()];
    loop {
        let mut ahead = cursor.clone();
        ahead.skip()?;
        if ahead.eat("(") && !all[0].is_empty() {
            // A macro with arguments, `htonl(INADDR_ANY)`: the same as its name.
            ahead.take_until(")", "this value")?;
            *cursor = ahead;
            return Ok(Value::Names(all));
        }
        if !ahead.eat("|") {
            return Ok(Value::Names(all));
        }
        ahead.skip()?;
        all.push(ahead.word().to_owned());
        *cursor = ahead;
    }
}

/// No call nests deeper; a script made to overflow the stack is refused.
const DEPTH: u8 = 16;
