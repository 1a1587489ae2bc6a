//! Text and options are two ways to the same command.

use gaggle_commands::{
    ApprovalCommand, Approve, Ask, Audit, ClusterAbout, ClusterCommand, Command, Deny, EnvVar, Expose, Help, ImageRef,
    InfraCommand, Link, LogLines, Mode, OptionValue, Period, PlainVar, ProjectCommand, ProjectSecretCommand, ProjectSettings,
    Quantity, RepoUrl, Role, SecretCommand, SecretKey, ServiceChanges, ServiceCommand, SessionCommand, Site, Thread, Unlink,
    leaves, parse_options, parse_text, sensitive,
};
use proptest::option::of;
use proptest::prelude::*;
use proptest::strategy::ValueTree;

/// What no random choice may miss: one strategy for each leaf, checked below.
fn any_command() -> impl Strategy<Value = Command> {
    // On the heap: together they are too large for a test's stack.
    prop_oneof![project().boxed(), session().boxed(), secret().boxed(), rest().boxed(), cluster().boxed(), service().boxed()]
}

fn name() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9-]{0,39}"
}

fn reference() -> impl Strategy<Value = String> {
    prop_oneof![name(), "@?[A-Za-zé'#(]{1,9}/[a-z][a-z0-9-]{0,9}"]
}

fn person() -> impl Strategy<Value = String> {
    "[a-zA-Zé:.'\"“#$]{1,20}"
}

fn key() -> impl Strategy<Value = SecretKey> {
    "[A-Za-z_][A-Za-z0-9_]{0,20}".prop_map(SecretKey)
}

fn line() -> impl Strategy<Value = String> {
    "[^\\p{C}]{1,60}".prop_map(|s| s.trim().to_owned()).prop_filter("blank", |s| !s.is_empty())
}

fn number() -> impl Strategy<Value = u64> {
    1..u64::MAX
}

fn settings() -> impl Strategy<Value = ProjectSettings> {
    let repo = prop_oneof!["https://[a-z]{1,9}/[a-z/]{0,9}[a-z]", "git@[a-z]{1,9}:[a-z]{1,9}"].prop_map(RepoUrl);
    let cpu = prop_oneof!["[1-9][0-9]{0,3}m", "[1-9][0-9]?(\\.[0-9]{1,2})?"].prop_map(Quantity);
    let memory = "[1-9][0-9]{0,3}(Mi|Gi|M|G)".prop_filter("small", |s| !s.ends_with('M') || s.len() > 2).prop_map(Quantity);
    let value = prop_oneof!["[^\\p{C}]{0,20}", "[ a-z'\"\\\\,=\n“–]{0,20}"];
    let env = prop::collection::btree_map("[A-Z_][A-Z0-9_]{0,9}", value, 0..4).prop_map(|variables| {
        variables
            .into_iter()
            .filter(|(name, value)| !sensitive(name, value))
            .map(|(name, value)| EnvVar { name, value })
            .collect()
    });
    let image = "[a-z0-9]{1,9}(\\.[a-z]{2,3})?/[a-z0-9]{1,9}(:[a-z0-9]{1,9})?".prop_map(ImageRef);
    let disk = "[1-9][0-9]{0,3}(Mi|Gi)".prop_map(Quantity);
    let expose = prop::sample::select(vec![Expose::Cluster, Expose::NodePort, Expose::LoadBalancer, Expose::Ingress]);
    (of(repo), of(cpu), of(memory), env, of(image), of(disk), of(1024..=u16::MAX), of(expose)).prop_map(
        |(repo, cpu, memory, env, image, disk, port, expose)| ProjectSettings {
            repo,
            cpu,
            memory,
            env,
            image,
            disk,
            port,
            expose,
        },
    )
}

fn argv() -> impl Strategy<Value = Vec<String>> {
    let word = prop_oneof!["[a-z-]{1,9}", "[^\\p{C}]{1,20}", "[ a-z'\"\\\\,=\n“–—-]{1,20}", Just("--".to_owned())];
    let rest = prop_oneof![word.clone(), Just(String::new())];
    (word, prop::collection::vec(rest, 0..4)).prop_map(|(first, rest)| std::iter::once(first).chain(rest).collect())
}

fn project() -> impl Strategy<Value = Command> {
    let mode = prop::sample::select(vec![Mode::Auto, Mode::Approve, Mode::SmartApprove, Mode::Chat]);
    let role = prop::sample::select(vec![Role::Viewer, Role::Member, Role::Owner]);
    let model = || of("[a-z][a-z0-9/:.'-]{0,20}");
    let secret = prop_oneof![
        (reference(), key()).prop_map(|(name, key)| ProjectSecretCommand::Set { name, key }),
        reference().prop_map(|name| ProjectSecretCommand::List { name }),
        (reference(), key()).prop_map(|(name, key)| ProjectSecretCommand::Unset { name, key }),
    ];
    prop_oneof![
        (name(), prop::option::of(name()), settings()).prop_map(|(name, cluster, settings)| ProjectCommand::Create {
            name,
            cluster,
            settings
        }),
        any::<bool>().prop_map(|all| ProjectCommand::List { all }),
        reference().prop_map(|name| ProjectCommand::Show { name }),
        reference().prop_map(|name| ProjectCommand::Status { name }),
        (reference(), name()).prop_map(|(name, new_name)| ProjectCommand::Rename { name, new_name }),
        (reference(), settings(), model(), model(), mode).prop_map(|(name, settings, model, provider, mode)| {
            ProjectCommand::Update { name, settings, model, provider, mode: Some(mode) }
        }),
        (reference(), person(), role).prop_map(|(name, user, role)| ProjectCommand::Share { name, user, role }),
        (reference(), person()).prop_map(|(name, user)| ProjectCommand::Unshare { name, user }),
        reference().prop_map(|name| ProjectCommand::Activate { name }),
        reference().prop_map(|name| ProjectCommand::Deactivate { name }),
        reference().prop_map(|name| ProjectCommand::Restart { name }),
        reference().prop_map(|name| ProjectCommand::Use { name }),
        Just(ProjectCommand::Unuse),
        (reference(), any::<bool>(), any::<bool>())
            .prop_map(|(name, keep_files, yes)| { ProjectCommand::Delete { name, keep_files, yes } }),
        (reference(), 1..=10_000_u32, of(1..=1_000_000_u64), any::<bool>(), any::<bool>()).prop_map(
            |(name, tail, since, previous, follow)| {
                let (since, follow) = (since.map(Period), follow && !previous);
                ProjectCommand::Logs { name, lines: LogLines { tail, since, previous, follow } }
            }
        ),
        (reference(), 1..=3_600_u64, argv())
            .prop_map(|(name, timeout, argv)| { ProjectCommand::Exec { name, timeout: Period(timeout), argv } }),
        secret.prop_map(ProjectCommand::Secret),
    ]
    .prop_map(Command::Project)
}

fn session() -> impl Strategy<Value = Command> {
    prop_oneof![
        reference().prop_map(|name| SessionCommand::List { name }),
        of(number()).prop_map(|session| SessionCommand::Show { session }),
        (of(number()), of(number())).prop_map(|(session, turn)| SessionCommand::Stop { session, turn }),
        (of(number()), of(number())).prop_map(|(session, turn)| SessionCommand::Retry { session, turn }),
        of(number()).prop_map(|session| SessionCommand::Export { session }),
        (of(number()), any::<bool>()).prop_map(|(session, yes)| SessionCommand::Delete { session, yes }),
        (line(), of(number())).prop_map(|(title, session)| SessionCommand::Rename { title, session }),
    ]
    .prop_map(Command::Session)
}

fn secret() -> impl Strategy<Value = Command> {
    prop_oneof![
        key().prop_map(|key| SecretCommand::Set { key }),
        Just(SecretCommand::List),
        key().prop_map(|key| SecretCommand::Unset { key }),
    ]
    .prop_map(Command::Secret)
}

fn rest() -> impl Strategy<Value = Command> {
    let message = prop_oneof![line(), "[ a-z'\"\\\\\n\t“—-]{1,40}"]
        .prop_map(|s| s.trim().to_owned())
        .prop_filter("blank", |s| !s.is_empty());
    prop_oneof![
        (reference(), message).prop_map(|(name, message)| Command::Ask(Ask { name, message })),
        (of(number()), any::<bool>()).prop_map(|(id, always)| Command::Approve(Approve { id, always })),
        (of(number()), of(line())).prop_map(|(id, reason)| Command::Deny(Deny { id, reason })),
        Just(Command::Approval(ApprovalCommand::List)),
        of(number()).prop_map(|number| Command::Thread(Thread { number })),
        Just(Command::Whoami),
        of("[2-9A-Z]{4}-[2-9A-Z]{4}").prop_map(|code| Command::Link(Link { code })),
        of(person()).prop_map(|identity| Command::Unlink(Unlink { identity })),
        Just(Command::Status),
        (1..=1_000_u32, of(person())).prop_map(|(tail, user)| Command::Audit(Audit { tail, user })),
        prop::collection::vec("[a-z]{1,9}", 0..3).prop_map(|command| Command::Help(Help { command })),
    ]
}

fn label() -> impl Strategy<Value = String> {
    "[a-z0-9]([a-z0-9-]{0,9}[a-z0-9])?"
}

fn release() -> impl Strategy<Value = String> {
    "[a-z]([a-z0-9-]{0,9}[a-z0-9])?"
}

fn words() -> impl Strategy<Value = String> {
    "[A-Za-z][A-Za-z '\".,]{0,18}[a-z]"
}

fn site() -> impl Strategy<Value = Site> {
    (of(name()), of(label())).prop_map(|(cluster, namespace)| Site { cluster, namespace })
}

fn about() -> impl Strategy<Value = ClusterAbout> {
    (of(words()), prop::collection::vec("[a-z0-9][a-z0-9._:/-]{0,9}", 0..3), of(label()))
        .prop_map(|(provider, tags, namespace)| ClusterAbout { provider, tags, namespace })
}

fn cluster() -> impl Strategy<Value = Command> {
    let tags = prop::collection::vec("[a-z0-9][a-z0-9._:/-]{0,9}", 0..3);
    let credentials = of((of(words()), any::<bool>()));
    prop_oneof![
        (name(), of(words()), about(), any::<bool>()).prop_map(|(new_cluster, context, about, insecure_skip_tls_verify)| {
            ClusterCommand::Add { new_cluster, context, about, insecure_skip_tls_verify }
        }),
        Just(ClusterCommand::List),
        of(name()).prop_map(|cluster| ClusterCommand::Show { cluster }),
        of(name()).prop_map(|cluster| ClusterCommand::Check { cluster }),
        of(name()).prop_map(|cluster| ClusterCommand::Namespaces { cluster }),
        (name(), about(), credentials).prop_map(|(cluster, about, new)| {
            let (credentials, (context, insecure_skip_tls_verify)) = (new.is_some(), new.unwrap_or_default());
            ClusterCommand::Update { cluster, about, credentials, context, insecure_skip_tls_verify }
        }),
        (name(), tags).prop_map(|(cluster, tags)| ClusterCommand::Tag { cluster, tags }),
        (name(), name()).prop_map(|(cluster, new_cluster)| ClusterCommand::Rename { cluster, new_cluster }),
        (name(), any::<bool>()).prop_map(|(cluster, yes)| ClusterCommand::Remove { cluster, yes }),
        (name(), of(label())).prop_map(|(cluster, namespace)| ClusterCommand::Default { cluster, namespace }),
    ]
    .prop_map(Command::Cluster)
}

fn variables() -> impl Strategy<Value = Vec<PlainVar>> {
    prop::collection::btree_map("[A-Z_][A-Z0-9_]{0,9}", "[ a-z'\"\\\\,=\n“–]{0,20}", 0..3).prop_map(|variables| {
        let plain = variables.into_iter().filter(|(name, value)| !sensitive(name, value));
        plain.map(|(name, value)| PlainVar { name, value }).collect()
    })
}

fn changes() -> impl Strategy<Value = ServiceChanges> {
    let expose = prop::sample::select(vec![Expose::Cluster, Expose::NodePort, Expose::LoadBalancer, Expose::Ingress]);
    let keys = || prop::collection::vec(key(), 0..3);
    (variables(), of(0..=500_u32), of("/[a-z?=]{0,9}"), of(expose), keys(), keys()).prop_map(
        |(set, replicas, health_path, expose, secret, plain)| ServiceChanges {
            set,
            replicas,
            health_path,
            expose,
            secret,
            plain,
        },
    )
}

fn service() -> impl Strategy<Value = Command> {
    let scan = (site(), any::<bool>(), any::<bool>()).prop_map(|(site, all, refresh)| {
        let all_namespaces = all && site.namespace.is_none();
        Command::Infra(InfraCommand::Scan { site, all_namespaces, refresh })
    });
    let id = || "[A-Za-z0-9_][A-Za-z0-9._-]{0,9}(:[a-z0-9_][a-z0-9._-]{0,9})?";
    let deploy = (id(), of(release()), changes(), any::<[bool; 4]>(), site()).prop_map(
        |(service, new_release, changes, [with_dependencies, infra, dry_run, yes], site)| ServiceCommand::Deploy {
            service,
            new_release,
            changes,
            with_dependencies,
            infra,
            dry_run,
            yes,
            site,
        },
    );
    let keys = || prop::collection::vec(key(), 0..3);
    let made = prop_oneof![
        (release(), of("https://[a-z]{1,9}\\.[a-z]{2,3}/[a-z/?=&.]{0,9}"))
            .prop_map(|(new_file, url)| ServiceCommand::Add { new_file, url }),
        any::<bool>().prop_map(|infra| ServiceCommand::Catalogue { infra }),
        id().prop_map(|service| ServiceCommand::Show { service }),
        deploy,
        (release(), variables(), keys(), keys(), keys(), site()).prop_map(|(release, set, unset, secret, plain, site)| {
            ServiceCommand::Env { release, set, unset, secret, plain, site }
        }),
        (release(), changes(), any::<[bool; 2]>(), site()).prop_map(|(release, changes, [dry_run, yes], site)| {
            ServiceCommand::Update { release, changes, dry_run, yes, site }
        }),
    ];
    let looked = prop_oneof![
        site().prop_map(|site| ServiceCommand::List { site }),
        (release(), site()).prop_map(|(release, site)| ServiceCommand::Status { release, site }),
        (release(), of(label()), 1..=10_000_u32, of(1..=1_000_000_u64), any::<[bool; 2]>(), site()).prop_map(
            |(release, workload, tail, since, [previous, follow], site)| {
                let (since, follow) = (since.map(Period), follow && !previous);
                ServiceCommand::Logs { release, workload, lines: LogLines { tail, since, previous, follow }, site }
            }
        ),
        (release(), of(1..9_u32), site()).prop_map(|(release, revision, site)| ServiceCommand::Manifests {
            release,
            revision,
            site
        }),
        (release(), site()).prop_map(|(release, site)| ServiceCommand::Export { release, site }),
    ];
    let worked = prop_oneof![
        (release(), of(label()), site()).prop_map(|(release, workload, site)| ServiceCommand::Restart {
            release,
            workload,
            site
        }),
        (release(), 0..=500_u32, of(label()), site())
            .prop_map(|(release, replicas, workload, site)| { ServiceCommand::Scale { release, replicas, workload, site } }),
        (release(), of(label()), 1..=3_600_u64, site(), argv()).prop_map(|(release, workload, timeout, site, argv)| {
            ServiceCommand::Exec { release, workload, timeout: Period(timeout), site, argv }
        }),
        (release(), of(1..=u16::MAX), of(label()), 1..=3_600_u64, site()).prop_map(|(release, port, workload, timeout, site)| {
            ServiceCommand::PortForward { release, port, workload, timeout: Period(timeout), site }
        }),
        (release(), of(1..99_u32), any::<bool>(), site())
            .prop_map(|(release, to, yes, site)| { ServiceCommand::Rollback { release, to, yes, site } }),
        (release(), any::<[bool; 2]>(), site())
            .prop_map(|(release, [keep_data, yes], site)| { ServiceCommand::Delete { release, keep_data, yes, site } }),
    ];
    prop_oneof![prop_oneof![made.boxed(), looked.boxed(), worked.boxed()].prop_map(Command::Service), scan]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn text_and_options_agree(command in any_command()) {
        let text = command.to_text();
        prop_assert_eq!(parse_text(&text), Ok(command.clone()), "{}", text);
        let options = command.to_options();
        prop_assert_eq!(parse_options(command.path(), &options), Ok(command), "{:?}", options);
    }

    #[test]
    fn a_stored_command_is_the_same(command in any_command()) {
        let json = serde_json::to_string(&command).unwrap();
        prop_assert_eq!(serde_json::from_str::<Command>(&json).unwrap(), command);
    }
}

#[test]
fn no_leaf_is_missed() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let seen: std::collections::BTreeSet<&str> =
        (0..3_000).map(|_| any_command().new_tree(&mut runner).unwrap().current().path()).collect();
    for (path, _) in leaves() {
        assert!(seen.contains(path.as_str()), "no random `{path}`");
    }
}

#[test]
fn the_summary_has_no_free_text() {
    for (text, summary) in [
        ("/ask demo hunter2", "/ask demo"),
        ("/deny a7 --reason hunter2", "/deny a7"),
        ("/session rename hunter2 s3", "/session rename s3"),
        ("/project create demo --env A=hunter2 --cpu 2", "/project create --cpu 2 --env 'A=…' demo"),
        ("/help secret set KEY hunter2", "/help secret set"),
        ("/project delete demo --yes", "/project delete --yes demo"),
        ("/project delete demo --keep-data", "/project delete --keep-files demo"),
        ("/project exec demo --timeout 5m -- rm -rf 'a b'", "/project exec demo -- rm -rf 'a b'"),
        (
            "/project exec demo -- env DB_PASSWORD=hunter2 --token=hunter2 PATH=/bin x",
            "/project exec demo -- env 'DB_PASSWORD=…' '--token=…' PATH=/bin x",
        ),
        ("/project exec demo -- curl postgres://u:hunter2@host/db", "/project exec demo -- curl '…'"),
    ] {
        assert_eq!(parse_text(text).unwrap().summary(), summary);
    }
}

/// As typed, whatever it looks like; and one string for platforms with options.
#[test]
fn a_command_to_run_is_taken_word_by_word() {
    let argv = |text: &str| match parse_text(text) {
        Ok(Command::Project(ProjectCommand::Exec { name, argv, .. })) if name == "demo" => argv,
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(argv("/project exec demo -- ls -la --help"), ["ls", "-la", "--help"]);
    assert_eq!(argv("/project exec demo -- git log -- 'a file'"), ["git", "log", "--", "a file"]);
    assert_eq!(argv("/project exec --timeout 60s demo -- sh -c 'echo $HOME | wc'"), ["sh", "-c", "echo $HOME | wc"]);
    assert_eq!(argv("/project exec demo — ls"), ["ls"], "a phone's dash");
    assert_eq!(argv("/project exec demo -- --timeout 1s ''"), ["--timeout", "1s", ""]);
    let option = |cmd: &str| parse_options("project exec", &[OptionValue::new("name", "demo"), OptionValue::new("cmd", cmd)]);
    assert_eq!(option("git log -- 'a file'"), parse_text("/project exec demo -- git log -- 'a file'"));
    let kept = [OptionValue::new("name", "demo"), OptionValue::new("keep_data", "true")];
    assert_eq!(parse_options("project delete", &kept), parse_text("/project delete demo --keep-files"));
}

#[test]
fn variables_in_one_option() {
    let variables = |value: &str| match parse_options(
        "project create",
        &[OptionValue::new("name", "demo"), OptionValue::new("env", value)],
    ) {
        Ok(Command::Project(ProjectCommand::Create { settings, .. })) => {
            settings.env.iter().map(ToString::to_string).collect::<Vec<_>>()
        }
        other => panic!("{value}: {other:?}"),
    };
    assert_eq!(variables("A=1"), ["A=1"]);
    assert_eq!(variables("A=1 B=2,C=3\nD='x y'"), ["A=1", "B=2", "C=3", "D=x y"]);
    assert_eq!(variables("A=hello big world"), ["A=hello big world"]);
    assert_eq!(variables("A=don't"), ["A=don't"]);
    assert_eq!(variables("A=x,y"), ["A=x,y"]);
}
