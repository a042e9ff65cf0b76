use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn names(text: &str) -> Vec<String> {
    expand(text).unwrap_or_else(|error| panic!("{error}")).iter().map(ToString::to_string).collect()
}

fn refused(text: &str) -> String {
    expand(text).expect_err(text).to_string()
}

#[test]
fn lists_mean_what_pdsh_and_clush_mean_by_them() {
    for (text, expected) in [
        ("node[1-3,12]", &["node1", "node2", "node3", "node12"][..]),
        ("n[008-10]", &["n008", "n009", "n010"]),
        ("n[1-3,5]-ib", &["n1-ib", "n2-ib", "n3-ib", "n5-ib"]),
        ("r[1-2]n[1-2]", &["r1n1", "r1n2", "r2n1", "r2n2"]),
        ("n[1-9/4]", &["n1", "n5", "n9"]),
        ("b,a,b", &["b", "a"]),
        ("n[3,1,2]", &["n3", "n1", "n2"]),
        ("a, b\tc,,", &["a", "b", "c"]),
        ("root@h[1-2],h1", &["root@h1", "root@h2", "h1"]),
        ("fe80::1,[2001:db8::7],root@[::1]", &["fe80::1", "2001:db8::7", "root@::1"]),
        ("[fe80::1%eth0]", &["fe80::1%eth0"]),
        ("2001:db8::[8-9]", &["2001:db8::8", "2001:db8::9"]),
        ("10.0.0.[9-10]", &["10.0.0.9", "10.0.0.10"]),
        ("a_b.example.org", &["a_b.example.org"]),
        ("[1-2].rack", &["1.rack", "2.rack"]),
        ("", &[]),
    ] {
        assert_eq!(names(text), expected, "{text}");
    }
}

#[test]
fn what_is_no_list_is_refused_in_one_sentence() {
    for (text, says) in [
        ("n[1-", "brackets do not match"),
        ("n1]", "brackets do not match"),
        ("n[[1]]", "no number"),
        ("n[]", "no number"),
        ("n[a-b]", "no number"),
        ("n[1-2-3]", "no number"),
        ("n[+1]", "no number"),
        ("n[1-3/0]", "no number"),
        ("n[9-1]", "ends before it begins"),
        ("n[99999999999999999999]", "no number"),
        ("-oProxyCommand=x", "cannot begin with \"-\""),
        ("root@-x", "cannot begin with \"-\""),
        ("-l@x", "cannot begin with \"-\""),
        ("@hosts", "no file can be named here"),
        ("root@", "a host without a name"),
        ("n\u{1b}[1-2]", "a character that no name has"),
        ("[fe80::1%a,b]", "a character that no name has"),
    ] {
        let error = refused(text);
        assert!(error.contains(says), "{text}: {error}");
    }
}

#[test]
fn too_many_hosts_are_refused_before_there_is_one() {
    for text in [
        "n[1-999999999]",
        "n[0-999999999999999999]",
        "a[1-9999]b[1-9999]c[1-9999]d[1-9999]e[1-9999]",
    ] {
        assert!(refused(text).contains("more than 100000 hosts, which is the limit"), "{text}");
    }
    assert_eq!(names("n[1-100000]").len(), MOST_HOSTS);
    assert!(refused("n[1-100000],m").contains("more than 100000 hosts"));
    assert_eq!(names("n[1-100000],n[5-6]").len(), MOST_HOSTS, "the same hosts again");
}

#[test]
fn files_hold_lists_and_comments_and_name_other_files() {
    let mut read = |place: &Place| match place.to_string().as_str() {
        "@all" => Ok("# everyone\nn[1-2], gate # the way in\n\n@more\n".to_owned()),
        "@more" => Ok("n2\nn9\n".to_owned()),
        "@loop" => Ok("@loop".to_owned()),
        "-" => Ok("typed".to_owned()),
        other => Err(Error::new(other, Fault::Unreadable("gone".into()))),
    };
    let mut list = HostList::default();
    list.add("@all,-,^more", &mut read).expect("a list");
    list.remove("n1,@more", &mut read).expect("a list");
    list.remove("nobody", &mut read).expect("a list");
    let left: Vec<String> = list.clone().into_hosts().iter().map(ToString::to_string).collect();
    assert_eq!(left, ["gate", "typed"]);
    let deep = list.add("@loop", &mut read).expect_err("no end");
    assert_eq!(deep.fault(), &Fault::TooDeep);
    let gone = list.add("@gone", &mut read).expect_err("no file");
    assert_eq!(gone.to_string(), "\"@gone\": cannot be read: gone");
}

#[test]
fn a_host_is_taken_out_whoever_the_user_is() {
    let none = &mut |_: &Place| Ok(String::new());
    let mut list = HostList::default();
    list.add("root@a,b,root@b,c", none).expect("a list");
    list.remove("a,root@b", none).expect("a list");
    let left: Vec<String> = list.into_hosts().iter().map(ToString::to_string).collect();
    assert_eq!(left, ["b", "c"]);
}

#[test]
fn names_are_folded_as_they_would_be_typed() {
    for (all, expected) in [
        (&["n3", "n1", "n2"][..], "n[1-3]"),
        (&["node1", "node2", "node3", "node5"], "node[1-3,5]"),
        (&["n08", "n09", "n10"], "n[08-10]"),
        (&["n9", "n10", "n99", "n100"], "n[9-10,99-100]"),
        (&["n1", "n01", "n2", "n02"], "n[1-2,01-02]"),
        (&["r1n1", "r1n2", "r2n1", "r2n2"], "r[1-2]n[1-2]"),
        (&["r1n1", "r1n2", "r2n1"], "r1n[1-2],r2n1"),
        (&["b", "a", "a"], "a,b"),
        (&["x12345678901234567890"], "x12345678901234567890"),
        (&["10.0.0.1", "10.0.0.2"], "10.0.0.[1-2]"),
        (&[], ""),
    ] {
        assert_eq!(fold(all.iter().copied()), expected);
    }
}

fn some_name() -> impl Strategy<Value = String> {
    "(r@)?[a-c]{0,2}[0-9]{1,3}(-[0-9]{1,2})?(\\.[a-b][0-9]{0,20})?"
}

proptest! {
    #[test]
    fn what_was_folded_expands_to_the_same_set(all in prop::collection::btree_set(some_name(), 0..60)) {
        let folded = fold(all.iter().map(String::as_str));
        let again: BTreeSet<String> = names(&folded).into_iter().collect();
        prop_assert_eq!(&again, &all, "{}", folded);
        prop_assert_eq!(names(&folded).len(), all.len());
    }

    #[test]
    fn the_same_set_folds_to_the_same_text(all in prop::collection::vec(some_name(), 0..40)) {
        let forwards = fold(all.iter().map(String::as_str));
        let backwards = fold(all.iter().rev().map(String::as_str));
        prop_assert_eq!(&forwards, &backwards);
        let again = names(&forwards);
        prop_assert_eq!(fold(again.iter().map(String::as_str)), forwards);
    }

    #[test]
    fn no_text_makes_it_panic_or_name_too_many(text in "(\\PC|[0-9]{1,20}|\\[|\\]|-|,|/|@|::|n){0,24}") {
        if let Ok(hosts) = expand(&text) {
            prop_assert!(hosts.len() <= MOST_HOSTS);
            let distinct: BTreeSet<_> = hosts.iter().collect();
            prop_assert_eq!(distinct.len(), hosts.len());
        }
    }
}
