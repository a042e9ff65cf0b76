//! `lastack why ADDR…`.

use crate::address::Target;
use crate::args::WhyArgs;
use crate::ask;
use crate::commands;
use crate::error::Error;
use crate::exit::Exit;
use crate::report::page::{self, Page};
use crate::report::{explanation, json};
use lastack_model::facts::Facts;
use lastack_model::why::{Explanation, Question, Verdict};
use lastack_os::{gather, host, namespace};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

/// What `--save-facts` writes and `--facts` reads.
#[derive(Debug, Deserialize, Serialize)]
struct Saved {
    schema: String,
    questions: Vec<Question>,
    facts: Facts,
}

/// Answers for every address; the exit code is the worst.
pub fn run(args: &WhyArgs) -> Result<Exit, Error> {
    let targets = commands::targets(&args.addresses)?;
    let explanations = match &args.files.facts {
        Some(file) => from_file(file, &targets, args)?,
        None => match ask::namespace(&args.bind)? {
            Some(other) => namespace::within(&other, || from_system(&targets, args))??,
            None => from_system(&targets, args)?,
        },
    };
    report(&explanations, args)
}

fn report(explanations: &[Explanation], args: &WhyArgs) -> Result<Exit, Error> {
    let mut worst = Exit::Yes;
    for (at, explanation) in explanations.iter().enumerate() {
        let exit = exit(explanation.verdict);
        worst = worst.worst(exit);
        if args.output.json {
            page::print(&json::why(explanation, exit))
        } else {
            let mut page = Page::of_terminal();
            if at > 0 {
                page.line(0, "");
            }
            explanation::write(&mut page, explanation, &args.bind);
            page.print()
        }?;
    }
    Ok(worst)
}

/// The exit code of a verdict.
pub const fn exit(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Free => Exit::Yes,
        Verdict::Partly | Verdict::Undecided => Exit::Partly,
        Verdict::InUse | Verdict::Refused => Exit::No,
    }
}

fn from_system(targets: &[Target], args: &WhyArgs) -> Result<Vec<Explanation>, Error> {
    let mut host = host::host()?;
    let binder = ask::binder(&args.bind, host.asker)?;
    host.asker = binder.asker;
    let questions: Vec<Question> = targets
        .iter()
        .map(|target| ask::question(target, &args.bind, &args.look, &host, binder.asker))
        .collect::<Result<_, _>>()?;
    let ports: Vec<_> = targets.iter().map(|target| (target.transport, target.port)).collect();
    let mut facts = gather::facts(&ports, &host)?;
    let explanations =
        questions.iter().map(|question| gather::explain(question, &mut facts, binder)).collect();
    if let Some(file) = &args.files.save_facts {
        save(file, questions, facts, args)?;
    }
    Ok(explanations)
}

fn from_file(file: &Path, targets: &[Target], args: &WhyArgs) -> Result<Vec<Explanation>, Error> {
    let name = file.display();
    let text = fs::read_to_string(file)
        .map_err(|cause| Error::new(format!("failed to read facts from {name}: {cause}")))?;
    let saved: Saved = serde_json::from_str(&text).map_err(|cause| {
        Error::new(format!("{name} holds no facts: {cause} (write one with --save-facts)"))
    })?;
    if saved.schema != FACTS_SCHEMA {
        let schema = saved.schema;
        return Err(Error::new(format!("{name} is {schema:?}, not {FACTS_SCHEMA:?}")));
    }
    let mut facts = saved.facts;
    let asked: Vec<Question> = targets
        .iter()
        .map(|target| ask::question(target, &args.bind, &args.look, &facts.host, facts.host.asker))
        .collect::<Result<_, _>>()?;
    let questions = if asked.is_empty() { saved.questions } else { asked };
    Ok(questions.iter().map(|question| gather::explain_saved(question, &mut facts)).collect())
}

fn save(
    file: &Path,
    questions: Vec<Question>,
    mut facts: Facts,
    args: &WhyArgs,
) -> Result<(), Error> {
    if !args.files.with_commands {
        for holder in &mut facts.holders {
            holder.process.command = Vec::new();
            holder.process.directory = None;
        }
        for resident in facts.elsewhere.iter_mut().filter_map(|e| e.resident.as_mut()) {
            resident.command = Vec::new();
            resident.directory = None;
        }
    }
    let saved = Saved { schema: FACTS_SCHEMA.into(), questions, facts };
    let written = serde_json::to_string_pretty(&saved)
        .map_err(std::io::Error::from)
        .and_then(|text| fs::write(file, text + "\n"));
    let name = file.display();
    written.map_err(|cause| Error::new(format!("failed to write facts to {name}: {cause}")))
}

const FACTS_SCHEMA: &str = "lastack.facts/1";
