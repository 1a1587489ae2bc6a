//! Which addresses are read as what, and which are connected to.

use super::*;

fn allow(cidrs: &[&str]) -> Allow {
    Allow(cidrs.iter().map(|cidr| cidr.parse().unwrap()).collect())
}

#[test]
fn forbidden_ones() {
    for address in [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "0.1.2.3",
        "169.254.169.254",
        "169.254.0.1",
        "169.254.170.2",
        "224.0.0.1",
        "239.255.255.255",
        "255.255.255.255",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "::1",
        "::",
        "fe80::1",
        "febf::1",
        "ff02::1",
        "ff0e::1",
        "fd00:ec2::254",
        "fd20:ce::254",
        // Mapped, compatible, translated.
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        // NAT64, 6to4, Teredo, ISATAP.
        "64:ff9b::127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::7f00:1",
        "64:ff9b:1:2:3:4:7f00:1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "2001:0:7f00:1::",
        "2001:0:102:304::80ff:fffe",
        "2001:db8::5efe:7f00:1",
        "fd00::200:5efe:a9fe:a9fe",
        "2002:102:304:0:0:5efe:7f00:1",
    ] {
        let ip: IpAddr = address.parse().unwrap();
        assert!(forbidden(ip).is_some(), "{address}");
        assert!(Allow::default().forbids(ip).is_some(), "{address}");
        assert!(allow(&["0.0.0.0/0", "::/0"]).forbids(ip).is_none(), "{address}");
    }
    for address in [
        "10.0.0.1",
        "172.16.5.4",
        "192.168.1.1",
        "100.64.0.1",
        "8.8.8.8",
        "1.2.3.4",
        "126.255.255.255",
        "128.0.0.1",
        "169.253.1.1",
        "240.0.0.1",
        "fd00::1",
        "fc00::1",
        "2001:db8::1",
        "2606:4700::1111",
        "::ffff:10.0.0.1",
        "64:ff9b::10.0.0.1",
        "2002:0a00:1::",
        "fec0::1",
        "fd00:ec2::253",
    ] {
        assert_eq!(forbidden(address.parse().unwrap()), None, "{address}");
    }
}

#[test]
fn exceptions_hold_for_what_they_name_and_no_more() {
    let some = allow(&["127.0.0.0/8", "fe80::/10"]);
    for (address, free) in [
        ("127.0.0.1", true),
        ("127.9.9.9", true),
        ("::ffff:127.0.0.1", true),
        ("64:ff9b::7f00:1", true),
        ("fe80::1", true),
        ("::1", false),
        ("169.254.169.254", false),
        ("::ffff:169.254.169.254", false),
        ("0.0.0.0", false),
        // One of both inside is not excepted.
        ("2002:a9fe:a9fe:0:0:5efe:7f00:1", false),
    ] {
        assert_eq!(some.forbids(address.parse().unwrap()).is_none(), free, "{address}");
    }
    assert!(allow(&["169.254.0.0/16"]).forbids_host("Metadata.Google.Internal.").is_none());
}

#[test]
fn hosts_that_need_no_resolution() {
    let none = Allow::default();
    for host in [
        "127.0.0.1",
        "[::1]",
        "::1",
        "metadata",
        "metadata.google.internal",
        "METADATA.google.internal.",
        "metadata.goog",
        "instance-data",
    ] {
        assert!(none.forbids_host(host).is_some(), "{host}");
    }
    for host in ["cluster.test", "10.0.0.1", "[fd00::1]", "metadata.example.com", ""] {
        assert_eq!(none.forbids_host(host), None, "{host}");
    }
}

#[test]
fn networks_as_they_are_written() {
    for good in ["10.0.0.0/8", "127.0.0.1", "127.0.0.1/32", "0.0.0.0/0", "::1", "fe80::/10", "::/0", " 10.0.0.0/8 "] {
        assert!(good.parse::<Cidr>().is_ok(), "{good}");
    }
    for bad in [
        "",
        "x",
        "10.0.0.0/33",
        "10.0.0.0/",
        "10.0.0.0/+8",
        "10.0.0.0/-1",
        "::/129",
        "10.0.0.0/8/8",
        "localhost",
        "10.0.0/8",
        "10.0.0.0/999",
    ] {
        assert!(bad.parse::<Cidr>().is_err(), "{bad}");
    }
    let told = "127.0.0.1/8".parse::<Cidr>().unwrap_err();
    assert!(told.contains("`127.0.0.0/8`"), "{told}");
    assert_eq!("fe80::/10".parse::<Cidr>().unwrap().to_string(), "fe80::/10");
    let from: Allow = serde_json::from_str(r#"["127.0.0.0/8", "::1"]"#).unwrap();
    assert_eq!(from, allow(&["127.0.0.0/8", "::1"]));
    assert!(serde_json::from_str::<Allow>(r#"["nothing"]"#).is_err());
}

/// What is written in an odd way is seen as what it is.
#[test]
fn servers_are_normalized() {
    for (text, wanted, host_of_it) in [
        ("cluster.test:6443", "https://cluster.test:6443", "cluster.test"),
        ("https://Cluster.Test", "https://cluster.test", "cluster.test"),
        ("https://cluster.test:443/", "https://cluster.test", "cluster.test"),
        ("https://r.test/k8s/clusters/c-1/", "https://r.test/k8s/clusters/c-1", "r.test"),
        ("10.0.0.1:6443", "https://10.0.0.1:6443", "10.0.0.1"),
        ("https://[::1]:6443", "https://[::1]:6443", "::1"),
        ("https://0x7f.1", "https://127.0.0.1", "127.0.0.1"),
        ("https://2130706433:6443", "https://127.0.0.1:6443", "127.0.0.1"),
        ("https://127.1", "https://127.0.0.1", "127.0.0.1"),
        ("https://0177.0.0.1", "https://127.0.0.1", "127.0.0.1"),
        ("https://%31%32%37.0.0.1", "https://127.0.0.1", "127.0.0.1"),
        ("https://[::ffff:127.0.0.1]", "https://[::ffff:7f00:1]", "::ffff:7f00:1"),
        ("https://１２７.0.0.1", "https://127.0.0.1", "127.0.0.1"),
    ] {
        let found = server(text, Place::Whole).unwrap();
        assert_eq!((found.as_str(), host(&found)), (wanted, host_of_it), "{text}");
        let loopback = matches!(host_of_it, "127.0.0.1" | "::1" | "::ffff:7f00:1");
        assert_eq!(Allow::default().forbids_host(host(&found)).is_some(), loopback, "{text}");
    }
    assert_eq!(shown("https://r.test:6443/k8s/clusters/c-1"), "https://r.test:6443");
}
