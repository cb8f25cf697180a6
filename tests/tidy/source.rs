//! One Rust file as the rules look at it: its paths (`a::b::c`, with the groups
//! of `use` taken apart), its string literals and its attributes, by line.
//!
//! Works on tokens, so that what stands inside macros counts, and comments and
//! the text of strings do not. Knows none of the rules.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// `a::b::c`.
#[derive(Clone, Debug)]
pub(crate) struct PathUse {
    pub(crate) segments: Vec<String>,
    pub(crate) line: usize,
    /// Modules between the crate's root and this place.
    depth: usize,
}

/// A file, taken apart.
#[derive(Debug, Default)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) paths: Vec<PathUse>,
    /// String literals as written, quotes included.
    pub(crate) strings: Vec<(String, usize)>,
    /// The identifiers of each attribute but `doc`.
    pub(crate) attributes: Vec<(Vec<String>, usize)>,
    /// First and last line of each `#[cfg(test)] mod … { … }`; `any(test,
    /// fuzzing)` counts too.
    test_lines: Vec<(usize, usize)>,
    /// Paths below which lies what `#[cfg(test)] mod …;` declares.
    test_files: Vec<String>,
}

impl Source {
    /// Takes a file apart; the error has its line.
    pub(crate) fn parse(path: &str, text: &str) -> Result<Self, (usize, String)> {
        let error = |error: syn::Error| (error.span().start().line, error.to_string());
        let file = syn::parse_file(text).map_err(error)?;
        let tokens: TokenStream = syn::parse_str(text).map_err(error)?;
        let mut source = Self { path: path.to_owned(), ..Self::default() };
        TestModules { source: &mut source }.visit_file(&file);
        source.walk(tokens, depth(path));
        Ok(source)
    }

    /// Whether a line belongs to a test module.
    pub(crate) fn is_test(&self, line: usize) -> bool {
        self.test_lines.iter().any(|(first, last)| (*first..=*last).contains(&line))
    }

    /// A path from the crate's root, if it is one: `crate::…`, or `super::…`
    /// from a module that stands directly below the root.
    pub(crate) fn from_root(path: &PathUse) -> Option<&[String]> {
        let rest = &path.segments;
        if rest.first().is_some_and(|first| first == "crate") {
            return rest.get(1..);
        }
        let supers = rest.iter().take_while(|segment| *segment == "super").count();
        (supers > 0 && supers >= path.depth).then(|| rest.get(supers..)).flatten()
    }

    fn walk(&mut self, tokens: TokenStream, depth: usize) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    let bang = is_punct(tokens.get(at + 1), '!');
                    if let Some(group) = bracketed(tokens.get(at + 1 + usize::from(bang))) {
                        self.attribute(group, depth);
                        at += 1 + usize::from(bang);
                    }
                    at += 1;
                }
                TokenTree::Ident(ident) if ident == "mod" => {
                    match (tokens.get(at + 1), tokens.get(at + 2)) {
                        (Some(TokenTree::Ident(_)), Some(TokenTree::Group(body))) => {
                            self.walk(body.stream(), depth + 1);
                            at += 3;
                        }
                        _ => at += 1,
                    }
                }
                TokenTree::Ident(_) => at = self.path(&tokens, at, &[], depth),
                TokenTree::Group(group) => {
                    self.walk(group.stream(), depth);
                    at += 1;
                }
                TokenTree::Literal(literal) => {
                    let text = literal.to_string();
                    if text.ends_with(['"', '#']) {
                        self.strings.push((text, literal.span().start().line));
                    }
                    at += 1;
                }
                TokenTree::Punct(_) => at += 1,
            }
        }
    }

    fn attribute(&mut self, group: &Group, depth: usize) {
        let idents: Vec<String> = idents(group.stream());
        if idents.first().is_some_and(|first| first == "doc") {
            return;
        }
        self.attributes.push((idents, group.span().start().line));
        self.walk(group.stream(), depth);
    }

    /// Reads a path from `at` on; gives the place behind it.
    fn path(&mut self, tokens: &[TokenTree], at: usize, prefix: &[String], depth: usize) -> usize {
        let mut segments = prefix.to_vec();
        let mut at = at;
        let mut line = 0;
        while let Some(TokenTree::Ident(ident)) = tokens.get(at) {
            let name = ident.to_string();
            line = ident.span().start().line;
            // `{self}` names what stands before the braces.
            if name != "self" || segments.is_empty() {
                segments.push(name);
            }
            at += 1;
            if !(is_punct(tokens.get(at), ':') && is_punct(tokens.get(at + 1), ':')) {
                break;
            }
            match tokens.get(at + 2) {
                Some(TokenTree::Ident(_)) => at += 2,
                Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                    self.group(group, &segments, depth);
                    return at + 3;
                }
                Some(TokenTree::Punct(star)) if star.as_char() == '*' => {
                    segments.push("*".to_owned());
                    at += 3;
                    break;
                }
                _ => break,
            }
        }
        self.paths.push(PathUse { segments, line, depth });
        at
    }

    /// The parts of `prefix::{ … }`.
    fn group(&mut self, group: &Group, prefix: &[String], depth: usize) {
        let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
        for part in tokens.split(|token| is_punct(Some(token), ',')) {
            match part.first() {
                Some(TokenTree::Punct(star)) if star.as_char() == '*' => {
                    let mut segments = prefix.to_vec();
                    segments.push("*".to_owned());
                    let line = star.span().start().line;
                    self.paths.push(PathUse { segments, line, depth });
                }
                Some(_) => {
                    self.path(part, 0, prefix, depth);
                }
                None => {}
            }
        }
    }
}

/// Finds the test modules of a file.
struct TestModules<'s> {
    source: &'s mut Source,
}

impl<'ast> Visit<'ast> for TestModules<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let test = item.attrs.iter().any(|attribute| {
            attribute.path().is_ident("cfg") && attribute.parse_args().is_ok_and(|it| is_test(&it))
        });
        if !test {
            visit::visit_item_mod(self, item);
        } else if item.content.is_some() {
            let span = item.span();
            self.source.test_lines.push((span.start().line, span.end().line));
        } else {
            let file = declared(&self.source.path, item);
            self.source.test_files.push(file);
        }
    }
}

/// `test`, and `any(test, fuzzing)`: what only tests and `cargo fuzz` build.
fn is_test(condition: &syn::Meta) -> bool {
    match condition {
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::List(list) => {
            list.path.is_ident("any") && list.tokens.to_string() == "test , fuzzing"
        }
        syn::Meta::NameValue(_) => false,
    }
}

/// Where `mod name;` lies, without `.rs`.
fn declared(path: &str, item: &syn::ItemMod) -> String {
    let (folder, _) = path.rsplit_once('/').unwrap_or(("", path));
    for attribute in &item.attrs {
        if attribute.path().is_ident("path")
            && let syn::Meta::NameValue(pair) = &attribute.meta
            && let syn::Expr::Lit(literal) = &pair.value
            && let syn::Lit::Str(name) = &literal.lit
        {
            return format!("{folder}/{}", name.value().trim_end_matches(".rs"));
        }
    }
    let own = path.trim_end_matches(".rs");
    let folder = match own.rsplit_once('/') {
        Some((folder, "mod" | "lib" | "main")) => folder,
        Some(_) | None => own,
    };
    format!("{folder}/{}", item.ident)
}

/// The files that are compiled for tests only.
pub(crate) fn test_only(sources: &[Source]) -> BTreeSet<String> {
    let roots: Vec<&String> = sources.iter().flat_map(|source| &source.test_files).collect();
    let below = |path: &str, root: &str| {
        path.strip_prefix(root).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    };
    let paths = sources.iter().map(|source| &source.path);
    paths.filter(|path| roots.iter().any(|root| below(path, root))).cloned().collect()
}

/// Modules between the crate's root and the file.
fn depth(path: &str) -> usize {
    let inner = path.strip_prefix("src/").unwrap_or(path).trim_end_matches(".rs");
    match inner {
        "lib" | "main" => 0,
        _ => inner.split('/').filter(|part| *part != "mod").count(),
    }
}

fn idents(tokens: TokenStream) -> Vec<String> {
    let mut found = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => found.push(ident.to_string()),
            TokenTree::Group(group) => found.extend(idents(group.stream())),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
    found
}

fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

fn bracketed(token: Option<&TokenTree>) -> Option<&Group> {
    match token {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Bracket => Some(group),
        _ => None,
    }
}
