use super::*;

/// Made by BIND's dnssec-keygen, digests by its dnssec-dsfromkey.
const P256: &str = "p2p. IN DNSKEY 257 3 13 sFVmH5mLzlvVRx4Dzf0jxHXpPpuSLublJbv7ZQJuj/0r7mW+qlIrojY0 \
                    X5r14/NGGSe0H37+TixQmXrxL5pKQw==";
const P256_DS: &str = "p2p. IN DS 3858 13 2 A611AE36C0F524ED493E6F0012D84A02DE951BF475050754D459BECE34322177";
const ED25519: &str = "p2p. IN DNSKEY 257 3 15 bObqgL53FycmufksQyEvgJo8H8uyMneyOJwILeN8OPw=";
const ED25519_DS: &str = "p2p. IN DS 1229 15 2 1A8095C0D6BDCA80442BCA1B6FAFF4080EFF934B552DD900B523927A374D98BD";

fn lines(text: &str) -> Result<Vec<String>, AnchorError> {
    Ok(Anchor::parse(text, "p2p")?.ds_lines().collect())
}

#[test]
fn a_digest_is_what_bind_computes() {
    assert_eq!(lines(P256), Ok(vec![P256_DS.to_owned()]));
    assert_eq!(lines(ED25519), Ok(vec![ED25519_DS.to_owned()]));
    let both = format!("; of a roll\n{P256_DS}\n{P256}\n\n{ED25519} ; the next\n");
    assert_eq!(lines(&both), Ok(vec![P256_DS.to_owned(), ED25519_DS.to_owned()]));
    assert_eq!(Anchor::parse(&both, "p2p").unwrap().keys().len(), 2);
}

#[test]
fn owner_ttl_class_and_case() {
    let lower = P256_DS.to_ascii_lowercase();
    for text in [
        &lower,
        &lower.replace("in ds", "3600 IN ds"),
        &lower.replace("p2p. in", "P2P 60"),
        &lower.replace(" in ", " "),
    ] {
        assert_eq!(lines(text), Ok(vec![P256_DS.to_owned()]), "{text}");
    }
}

#[test]
fn what_is_no_anchor() {
    let wrong = P256_DS.replace("A611", "A612");
    let cases = [
        String::new(),
        "; nothing".to_owned(),
        P256_DS.replace("p2p.", "camp."),
        format!("\n{}", P256_DS.replace("13 2", "13 1")),
        P256_DS.replace("77", "7"),
        P256_DS.replace("A6", "+6"),
        P256_DS.replace("A6", "é"),
        P256_DS.replace("3858", "99999"),
        P256_DS.replace("DS", "TXT"),
        P256.replace("257", "256"),
        P256.replace("==", ""),
        "p2p. IN".to_owned(),
        "p2p. IN DNSKEY 257 3 13".to_owned(),
        format!("{wrong}\n{P256}"),
    ];
    let said: Vec<String> = cases.iter().map(|text| lines(text).unwrap_err().to_string()).collect();
    insta::assert_snapshot!(said.join("\n"));
}
