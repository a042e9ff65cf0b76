//! A whole script: options at its head, then one step after the other.

use super::cursor::{Cursor, Lines};
use super::time::When;
use super::{Body, Error, Script, Step, call, conditions, segment, shell, time};

/// Reads a script; `defined` are the names for which `#ifdef` holds.
pub fn parse(text: &str, defined: &[&str]) -> Result<Script, Error> {
    let text = conditions::applied(text, defined)?;
    let lines = Lines::of(&text);
    let mut cursor = Cursor::new(&text, &lines);
    let mut script = Script { options: Vec::new(), steps: Vec::new() };
    cursor.skip()?;
    // A first line of its own names an interpreter.
    if cursor.rest().starts_with("#!") {
        cursor.take_while(|c| c != '\n');
    }
    loop {
        cursor.skip()?;
        if cursor.peek().is_none() {
            return Ok(script);
        }
        if cursor.eat("--") {
            script.options.push(option(&mut cursor)?);
        } else {
            script.steps.push(step(&mut cursor)?);
        }
    }
}

fn option(cursor: &mut Cursor<'_>) -> Result<(String, String), Error> {
    let name = cursor.word().to_owned();
    if name.is_empty() {
        return Err(cursor.expected("the name of an option"));
    }
    let value = if cursor.eat("=") {
        cursor.take_while(|c| !c.is_whitespace()).trim_matches('"')
    } else {
        ""
    };
    Ok((name, value.to_owned()))
}

fn step(cursor: &mut Cursor<'_>) -> Result<Step, Error> {
    let place = cursor.place();
    let when = match cursor.peek() {
        Some('`' | '%') => When::Start,
        Some(c) if c.is_ascii_digit() || matches!(c, '+' | '*' | '.') => time::when(cursor)?,
        _ => return Err(cursor.expected("the time of a step ('+0.1', '0.5', '*')")),
    };
    cursor.skip()?;
    Ok(Step { place, when, body: body(cursor)? })
}

fn body(cursor: &mut Cursor<'_>) -> Result<Body, Error> {
    let place = cursor.place();
    if cursor.eat("<") {
        segment::packet(cursor, true)
    } else if cursor.eat(">") {
        segment::packet(cursor, false)
    } else if cursor.eat("`") {
        let text = cursor.take_until("`", "this shell command")?;
        Ok(shell::shell(text, place))
    } else if cursor.eat("%{") {
        let text = cursor.take_until("}%", "this Python code")?;
        Ok(shell::code(text, place))
    } else {
        call::call(cursor).map(Body::Call)
    }
}
