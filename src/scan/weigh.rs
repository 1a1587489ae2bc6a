//! Which Services are of which kind, judged by evidence.
//!
//! The rule. An image that is a kind's own decides for it, and one that is plainly something else against every kind; both only of
//! the container that answers at the port. Failing that, signs are added up: labels, port number, name of the port, names, program,
//! folders. [`ENOUGH`] is reached by no sign alone, and one of the port's two signs must be among them: a Service `cache` with port
//! 6379 is none, and is one, with low confidence, when its port is called `redis` or its pods are labelled so.
//!
//! Invariant: pure; no letter of a name counts but whole words.

use std::cell::RefCell;
use std::collections::HashMap;

use super::endpoints::is_headless;
use super::image::{Says, says};
use super::kinds::{KindRow, Kinds};
use super::objects::{Container, Labels, Service, ServicePort, Target};
use super::serving::{Serving, program, serving};
use super::state::State;
use super::words::{Head, split};
use crate::model::infra::{Confidence, Evidence};

/// What the signs of a kind must reach.
const ENOUGH: u16 = 60;
const CERTAIN: u16 = 90;

const IMAGE: u16 = 60;
const LOOKS: u16 = 40;
const LABEL: u16 = 40;
const WEAK_LABEL: u16 = 30;
const NUMBER: u16 = 30;
/// Numbers that anything may have.
const COMMON_NUMBER: u16 = 20;
const COMMON: &[u16] = &[80, 443, 3000, 5000, 7000, 8000, 8080, 8443, 9000, 9090];
const PORT_NAME: u16 = 30;
/// A protocol, which others speak at the same number.
const PROTOCOL: u16 = 20;
/// Another port of the same Service, which is the kind's too.
const BESIDE: u16 = 20;
const NAME: u16 = 30;
const WORKLOAD: u16 = 20;
const PROGRAM: u16 = 40;
const FOLDER: u16 = 30;

/// Labels whose value names what runs, and how much each says. Not `instance` and `part-of`: those name what it is for.
const LABELS: &[(&str, u16)] = &[
    ("app.kubernetes.io/name", LABEL),
    ("app.kubernetes.io/component", WEAK_LABEL),
    ("helm.sh/chart", WEAK_LABEL),
    ("app", WEAK_LABEL),
    ("k8s-app", WEAK_LABEL),
    ("name", WEAK_LABEL),
    ("component", WEAK_LABEL),
    ("chart", WEAK_LABEL),
    ("service", WEAK_LABEL),
];

/// Names of ports where no client of a store connects.
const UNFIT: &[&str] =
    &["metrics", "exporter", "console", "ui", "webhook", "dashboard", "admin", "management", "stats", "prom", "health", "webui"];

/// A Service that is of a kind.
#[derive(Debug, Clone)]
pub struct Match {
    pub service: usize,
    pub kind: usize,
    /// Of the Service's ports; nothing where it has none.
    pub port: Option<usize>,
    /// Where pods listen, if that is known.
    pub target: Option<u16>,
    pub score: u16,
    pub confidence: Confidence,
    pub evidence: Vec<Evidence>,
    pub image: Option<String>,
    /// Its name says something else, as of a second Service for a console.
    pub odd: bool,
}

pub struct Weigher<'a> {
    pub kinds: &'a Kinds,
    pub state: &'a State,
    images: RefCell<HashMap<&'a str, Says>>,
}

/// What the labels, names and roles of a Service say, whatever its port.
struct Signs {
    /// The weightiest sign of each kind.
    labels: HashMap<usize, Evidence>,
    name: Head,
    workload: Head,
    /// Something says that it works with a store and is none.
    other: bool,
    /// Words of its name and role.
    roles: Vec<String>,
}

/// What a port's name says.
struct PortName {
    /// Those that a word of it stands for come first.
    kinds: Vec<usize>,
    words: usize,
    unfit: bool,
}

/// A port of a Service.
struct Place {
    at: usize,
    index: usize,
    target: Option<u16>,
    name: PortName,
}

/// What the images behind a port say.
#[derive(Default)]
struct Images<'a> {
    is: Option<(usize, &'a Container, Option<&'a str>)>,
    looks: Option<(usize, &'a Container)>,
    /// Containers that may answer there and of which nothing is known.
    open: Vec<&'a Container>,
    /// All that are there are plainly something else.
    other: bool,
}

impl<'a> Weigher<'a> {
    pub fn new(kinds: &'a Kinds, state: &'a State) -> Self {
        Self { kinds, state, images: RefCell::default() }
    }

    fn says(&self, image: &'a str) -> Says {
        *self.images.borrow_mut().entry(image).or_insert_with(|| says(self.kinds, image))
    }

    /// Every Service that is of a kind, once for each kind that it is of.
    pub fn all(&self) -> Vec<Match> {
        let mut found: Vec<Match> = Vec::new();
        for at in 0..self.state.services.len() {
            if self.state.services[at].spec.kind != "ExternalName" {
                found.extend(self.service(at));
            }
        }
        found.extend(super::external::all(self.kinds, self.state, &found));
        found
    }

    /// Services without pods that may be of a kind, should what would run them say so.
    pub fn undecided(&self) -> Vec<usize> {
        let may = |at: &usize| {
            let service = &self.state.services[*at];
            let hinted = || {
                let signs = self.signs(*at);
                let port = |p: &ServicePort| {
                    let target = target(self.state, *at, p);
                    self.kinds.rows().iter().any(|row| {
                        let specific = |n: &u16| row.ports.contains(n) && !COMMON.contains(n);
                        specific(&p.port) || target.as_ref().is_some_and(specific)
                    })
                };
                matches!(signs.name, Head::Kind(_)) || !signs.labels.is_empty() || service.spec.ports.iter().any(port)
            };
            !service.spec.selector.is_empty() && self.state.backing[*at].pods.is_empty() && hinted()
        };
        (0..self.state.services.len()).filter(may).collect()
    }

    fn service(&self, at: usize) -> Vec<Match> {
        let service = &self.state.services[at];
        let signs = self.signs(at);
        let mut best: Vec<(u16, Match)> = Vec::new();
        for (index, port) in service.spec.ports.iter().enumerate() {
            if !matches!(port.protocol.as_str(), "" | "TCP") {
                continue;
            }
            let Some((rank, found)) = self.port(at, index, &signs) else { continue };
            match best.iter_mut().find(|(_, known)| known.kind == found.kind) {
                Some(known) if (known.0, known.1.score) < (rank, found.score) => *known = (rank, found),
                Some(_) => {}
                None => best.push((rank, found)),
            }
        }
        let mut all: Vec<Match> = best.into_iter().map(|(_, found)| found).collect();
        if service.spec.ports.is_empty() && is_headless(service) {
            all.extend(self.portless(at, &signs));
        }
        all
    }

    /// A headless Service without ports leads to its pods, wherever they listen: only their images can tell what that is.
    fn portless(&self, at: usize, signs: &Signs) -> Option<Match> {
        let shapes = self.state.shapes(at);
        let (kind, container) = shapes.iter().find_map(|shape| {
            shape.containers.iter().find_map(|container| {
                let Says::Is(kind) = self.container(container) else { return None };
                let row = &self.kinds.rows()[kind];
                // Beside others it may serve only those.
                let own = shape.containers.len() == 1 || container.ports.iter().any(|p| row.ports.contains(&p.container_port));
                own.then_some((kind, container))
            })
        })?;
        let row = &self.kinds.rows()[kind];
        if signs.roles.iter().any(|word| row.not.contains(word)) {
            return None;
        }
        let declared = container.ports.iter().map(|p| p.container_port).find(|number| row.ports.contains(number));
        let evidence = vec![Evidence { weight: IMAGE, text: format!("the image {} is {}", container.image, row.name) }];
        Some(Match {
            service: at,
            kind,
            port: None,
            target: declared.or(Some(row.default_port())).filter(|number| *number > 0),
            score: IMAGE,
            confidence: Confidence::Certain,
            evidence,
            image: Some(container.image.clone()),
            odd: matches!(signs.name, Head::Other { .. }),
        })
    }

    /// The kind of one port, and how good a port of it.
    fn port(&self, at: usize, index: usize, signs: &Signs) -> Option<(u16, Match)> {
        let port = &self.state.services[at].spec.ports[index];
        let target = target(self.state, at, port);
        let images = self.images(at, port, target);
        if images.other {
            return None;
        }
        let candidates: Vec<usize> = match images.is {
            Some((kind, ..)) => vec![kind],
            None if signs.other => return None,
            None => (0..self.kinds.rows().len()).collect(),
        };
        let here = Place { at, index, target, name: self.port_name(port) };
        let judged = candidates.into_iter().filter_map(|kind| self.judge(&here, kind, signs, &images));
        judged.max_by_key(|(_, found)| found.score)
    }

    fn judge(&self, here: &Place, kind: usize, signs: &Signs, images: &Images) -> Option<(u16, Match)> {
        let Place { at, index, target, name } = here;
        let (at, index, target) = (*at, *index, *target);
        let row = &self.kinds.rows()[kind];
        let port = &self.state.services[at].spec.ports[index];
        if signs.roles.iter().any(|word| row.not.contains(word)) {
            return None;
        }
        let place = |number: u16| row.ports.iter().position(|known| *known == number);
        let known = target.and_then(place).or_else(|| place(port.port));
        let side = |number: u16| row.side_ports.contains(&number);
        // Where pods listen decides; the number of the Service is only a name for that.
        let through = images.is.is_some_and(|(_, _, through)| through.is_some());
        if !through && target.map_or_else(|| side(port.port), |t| side(t) && place(t).is_none()) {
            return None;
        }
        let named = name.kinds.contains(&kind);
        let agrees = known.is_some() || named;
        if (known.is_none() && name.unfit) || (!agrees && images.is.is_none()) {
            return None;
        }
        let mut evidence = Vec::new();
        let mut add = |weight: u16, text: String| evidence.push(Evidence { weight, text });
        let mut image = None;
        if let Some((_, container, through)) = images.is {
            image = Some(container.image.clone());
            let through = through.map(|name| format!(", through {name} in the same pod")).unwrap_or_default();
            add(IMAGE, format!("the image {} is {}{through}", container.image, row.name));
        } else if let Some((_, container)) = images.looks.filter(|(looks, _)| *looks == kind) {
            image = Some(container.image.clone());
            add(LOOKS, format!("the image {} is named for {}", container.image, row.name));
        }
        if let Some(label) = signs.labels.get(&kind) {
            evidence.push(label.clone());
        }
        if known.is_some() {
            let number = target.filter(|t| place(*t).is_some()).unwrap_or(port.port);
            let weight = if COMMON.contains(&number) { COMMON_NUMBER } else { NUMBER };
            evidence.push(Evidence { weight, text: format!("port {number} is {}'s", row.name) });
        }
        if named {
            let name = if port.name.is_empty() { &port.app_protocol } else { &port.name };
            let weight = if here.name.kinds[..here.name.words].contains(&kind) { PORT_NAME } else { PROTOCOL };
            evidence.push(Evidence { weight, text: format!("the port is called {name}") });
        }
        let own = |number: u16| !COMMON.contains(&number) && (row.ports.contains(&number) || row.side_ports.contains(&number));
        let others = self.state.services[at].spec.ports.iter().filter(|other| other.port != port.port);
        if let Some(other) = others.map(|other| other.port).find(|number| own(*number)) {
            evidence.push(Evidence { weight: BESIDE, text: format!("port {other} beside it is {}'s, too", row.name) });
        }
        if signs.name == Head::Kind(kind) {
            let name = &self.state.services[at].metadata.name;
            evidence.push(Evidence { weight: NAME, text: format!("the Service is called {name}") });
        } else if signs.workload == Head::Kind(kind) {
            let name = self.state.workload(at).map(|w| w.name).unwrap_or_default();
            evidence.push(Evidence { weight: WORKLOAD, text: format!("its workload is called {name}") });
        }
        if images.is.is_none() {
            evidence.extend(self.inside(kind, &images.open));
        }
        let score = evidence.iter().map(|e| e.weight).sum::<u16>();
        // With an image of its own any port will do, unless a name says that it is something else there.
        if score < ENOUGH || (!agrees && signs.other) {
            return None;
        }
        evidence.sort_by_key(|e| std::cmp::Reverse(e.weight));
        let confidence = match (images.is.is_some(), score >= CERTAIN) {
            (true, _) => Confidence::Certain,
            (false, true) => Confidence::Likely,
            _ => Confidence::Possible,
        };
        // An image that tells nothing is still what runs there.
        let image = image.or_else(|| images.open.first().map(|c| c.image.clone()));
        let rank = known.map_or(0, |place| u16::try_from(100usize.saturating_sub(place)).unwrap_or_default());
        let odd = matches!(signs.name, Head::Other { .. });
        Some((rank, Match { service: at, kind, port: Some(index), target, score, confidence, evidence, image, odd }))
    }

    /// What containers run and mount whose image tells nothing.
    fn inside(&self, kind: usize, containers: &[&Container]) -> Vec<Evidence> {
        let row = &self.kinds.rows()[kind];
        let mut found = Vec::new();
        if let Some(program) = containers.iter().find_map(|c| program(c).filter(|p| row.commands.contains(p))) {
            found.push(Evidence { weight: PROGRAM, text: format!("its container runs {program}") });
        }
        let mounts = containers.iter().flat_map(|c| &c.volume_mounts).map(|m| m.mount_path.as_str());
        let own = |path: &&str| {
            row.paths.iter().any(|p| path.strip_prefix(p.as_str()).is_some_and(|r| r.is_empty() || r.starts_with('/')))
        };
        if let Some(path) = mounts.into_iter().find(own) {
            found.push(Evidence { weight: FOLDER, text: format!("a volume is mounted at {path}") });
        }
        if let [one] = containers
            && self.kinds.words.head(&one.name) == Head::Kind(kind)
        {
            found.push(Evidence { weight: WORKLOAD, text: format!("its container is called {}", one.name) });
        }
        found
    }

    fn port_name(&self, port: &ServicePort) -> PortName {
        let mut words = split(&port.name);
        words.extend(split(&port.app_protocol));
        let whole = [self.kinds.words.head(&port.name), self.kinds.words.head(&port.app_protocol)];
        let each = words.iter().map(|word| self.kinds.words.head(word));
        let mut kinds: Vec<usize> =
            each.chain(whole).filter_map(|head| if let Head::Kind(kind) = head { Some(kind) } else { None }).collect();
        let meant = kinds.len();
        let own = |row: &KindRow| !row.port_names.is_empty() && words.iter().any(|word| row.port_names.contains(word));
        kinds.extend(self.kinds.rows().iter().enumerate().filter(|(_, row)| own(row)).map(|(kind, _)| kind));
        let unfit = words.iter().any(|word| UNFIT.contains(&word.as_str()));
        PortName { kinds, words: meant, unfit }
    }

    fn images(&self, at: usize, port: &ServicePort, target: Option<u16>) -> Images<'a> {
        let mut found = Images::default();
        let (mut others, mut count) = (0, 0);
        for shape in self.state.shapes(at) {
            count += 1;
            let Serving { containers, sure } = serving(shape, port, target);
            let fits = |kind: usize| {
                let row = &self.kinds.rows()[kind];
                target.map_or_else(|| row.ports.contains(&port.port), |t| row.ports.contains(&t))
            };
            let offered = |kind: usize| fits(kind) || self.kinds.rows()[kind].ports.contains(&port.port);
            let mut left = containers.len();
            for container in &containers {
                match self.container(container) {
                    Says::Is(kind) if sure || fits(kind) => found.is = Some((kind, container, None)),
                    Says::Looks(kind) if sure || fits(kind) => {
                        found.looks = Some((kind, container));
                        found.open.push(container);
                    }
                    // Beside others, of which one may answer there.
                    Says::Is(_) | Says::Looks(_) => left -= usize::from(containers.len() > 1),
                    Says::Nothing => found.open.push(container),
                    Says::Other { passing } => {
                        left -= 1;
                        let behind = shape.containers.iter().find_map(|c| match self.container(c) {
                            Says::Is(kind) if passing => Some((kind, c)),
                            _ => None,
                        });
                        // Beside the store in the same pod it leads to that one.
                        if let Some((kind, store)) =
                            behind.filter(|(kind, _)| offered(*kind) || self.port_name(port).kinds.contains(kind))
                        {
                            left += 1;
                            found.is = found.is.or(Some((kind, store, Some(&container.name))));
                        }
                    }
                }
            }
            others += usize::from(left == 0);
        }
        found.other = count > 0 && others == count && found.is.is_none();
        found
    }

    /// By its image, unless it plainly runs another program. Where the image says nothing, only a program that names a kind does, as
    /// `redis-exporter`: `server` or `httpd` may be anything.
    fn container(&self, container: &'a Container) -> Says {
        let says = self.says(&container.image);
        let Some(program) = program(container) else { return says };
        let decides = match says {
            Says::Is(kind) | Says::Looks(kind) => !self.kinds.rows()[kind].commands.contains(&program),
            Says::Nothing => split(&program).iter().any(|word| matches!(self.kinds.words.head(word), Head::Kind(_))),
            Says::Other { .. } => false,
        };
        match self.kinds.words.head(&program) {
            Head::Other { passing } if decides => Says::Other { passing },
            _ => says,
        }
    }

    fn signs(&self, at: usize) -> Signs {
        let service = &self.state.services[at];
        let pod = self.state.pod_labels(at);
        let head = |text: &str| self.kinds.words.head(text);
        let name = head(&service.metadata.name);
        let mut signs = Signs {
            labels: HashMap::new(),
            name,
            workload: self.state.workload(at).map_or(Head::Unknown, |w| head(&w.name)),
            other: matches!(name, Head::Other { .. }),
            roles: split(&service.metadata.name),
        };
        let named = matches!(name, Head::Kind(_)) || self.kinds.words.is_store(&service.metadata.name);
        let sources: Vec<&Labels> =
            [Some(&service.metadata.labels), Some(&service.spec.selector), pod].into_iter().flatten().collect();
        for labels in &sources {
            for (key, weight) in LABELS {
                let Some(value) = labels.get(*key) else { continue };
                match head(value) {
                    Head::Kind(kind) => signs.add(kind, *weight, format!("the label {key} is {value}")),
                    // What a chart is called its parts need not be.
                    // And an application's label on its store tells whose it is.
                    Head::Other { .. } if key.ends_with("chart") || (named && self.kinds.words.is_application(value)) => {}
                    Head::Other { .. } => signs.other = true,
                    _ => {}
                }
                if key.ends_with("component") {
                    signs.roles.extend(split(value));
                }
            }
        }
        for (kind, row) in self.kinds.rows().iter().enumerate() {
            for wanted in &row.labels {
                let (key, value) = wanted.split_once('=').map_or((wanted.as_str(), None), |(k, v)| (k, Some(v)));
                if sources.iter().any(|labels| labels.get(key).is_some_and(|own| value.is_none_or(|v| v == own))) {
                    signs.add(kind, LABEL, format!("an operator's label {wanted} is there"));
                }
            }
        }
        signs
    }
}

impl Signs {
    fn add(&mut self, kind: usize, weight: u16, text: String) {
        let known = self.labels.entry(kind).or_insert_with(|| Evidence { weight: 0, text: String::new() });
        if known.weight < weight {
            *known = Evidence { weight, text };
        }
    }
}

/// Where the pods listen.
pub fn target(state: &State, at: usize, port: &ServicePort) -> Option<u16> {
    let declared = |name: &str| {
        let all = state.shapes(at).into_iter().flat_map(|shape| &shape.containers).flat_map(|c| &c.ports);
        all.into_iter().find(|p| p.name == name).map(|p| p.container_port)
    };
    let sliced = || {
        let slices = state.backing[at].slices.iter().map(|slice| &state.slices[*slice]);
        slices.flat_map(|slice| &slice.ports).find(|p| p.name == port.name)?.port
    };
    match &port.target_port {
        Some(Target::Number(number)) if *number > 0 => Some(*number),
        Some(Target::Name(name)) => declared(name).or_else(sliced),
        _ => {
            let Service { spec, .. } = &state.services[at];
            sliced().filter(|_| spec.selector.is_empty()).or(Some(port.port))
        }
    }
}
