//! Arguments into types and types into arguments.

use std::collections::HashMap;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{super::Binary, *};

fn from_values<T: Serialize>(values: T) -> Args {
    Args::from_values(&values).unwrap()
}

/// Arguments as if they had come in as this JSON array, in both dialects.
fn received(json: &str) -> [Args; 2] {
    let json = args(json);
    let msgpack = json.to_dialect(Dialect::Msgpack);
    assert_eq!(
        (json.dialect(), msgpack.dialect()),
        (Dialect::Json, Dialect::Msgpack)
    );
    [json, msgpack]
}

#[track_caller]
fn reads<T: DeserializeOwned + PartialEq + std::fmt::Debug>(json: &str, expected: &T) {
    for args in received(json) {
        assert_eq!(
            &args.parse::<T>().unwrap(),
            expected,
            "{json} as {:?}",
            args.dialect()
        );
    }
}

#[track_caller]
fn refuses<T: DeserializeOwned + std::fmt::Debug>(json: &str, text: &str) {
    for args in received(json) {
        let err = args.parse::<T>().unwrap_err().to_string();
        assert!(err.starts_with(text), "{json}: {err}");
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Say(String, String);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Name(String);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Nothing;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Photo {
    title: String,
    #[serde(default)]
    size: Option<u32>,
    data: Option<Binary>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Shape {
    Dot,
    Circle(f64),
    Line(i32, i32),
    Rect { width: u32 },
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum TextOrNumber {
    Number(i64),
    Text(String),
}

#[test]
fn tuples_are_several_arguments() {
    assert_eq!(from_values(("a", 1, true)).raw_json(), r#"["a",1,true]"#);
    assert_eq!(
        from_values(Say("a".into(), "b".into())).raw_json(),
        r#"["a","b"]"#
    );
    assert_eq!(from_values([1, 2, 3]).raw_json(), "[1,2,3]");
    assert_eq!(from_values(("a",)).raw_json(), r#"["a"]"#);
    assert_eq!(from_values(("a", 1, true)).len(), 3);
}

#[test]
fn nothing_is_no_argument() {
    for none in [
        from_values(()),
        from_values(Nothing),
        Args::none(),
        Args::from_vec(Vec::new()),
    ] {
        assert_eq!(
            (none.len(), none.is_empty(), &*none.raw_json()),
            (0, true, "[]")
        );
        none.parse::<()>().unwrap();
        none.parse::<Nothing>().unwrap();
    }
}

#[test]
fn anything_else_is_one_argument() {
    for (args, expected) in [
        (from_values("a"), r#"["a"]"#),
        (from_values(7_u8), "[7]"),
        (from_values(vec![1, 2]), "[[1,2]]"),
        (from_values(((1, 2),)), "[[1,2]]"),
        (from_values(Name("a".into())), r#"["a"]"#),
        (from_values(None::<u8>), "[null]"),
        (from_values(Some((1, 2))), "[[1,2]]"),
        (from_values(Shape::Dot), r#"["dot"]"#),
        (from_values(Shape::Circle(1.5)), r#"[{"circle":1.5}]"#),
        (from_values(Shape::Line(1, 2)), r#"[{"line":[1,2]}]"#),
        (
            from_values(Shape::Rect { width: 3 }),
            r#"[{"rect":{"width":3}}]"#,
        ),
        (from_values(HashMap::from([(1, 'x')])), r#"[{"1":"x"}]"#),
        (
            from_values(serde_json::json!([1, {"b": 0, "a": 1}])),
            r#"[[1,{"b":0,"a":1}]]"#,
        ),
        (from_values(f64::NAN), "[null]"),
        (from_values(f32::INFINITY), "[null]"),
        (
            from_values(value(r#"[{"$b":"01"}]"#)),
            r#"[[{"_placeholder":true,"num":0}]]"#,
        ),
    ] {
        assert_eq!((&*args.raw_json(), args.len()), (expected, 1));
    }
}

#[test]
fn what_cannot_be_json_is_an_error() {
    let keyed_by_lists = HashMap::from([(vec![1], 2)]);
    assert!(
        Args::from_values(&keyed_by_lists)
            .unwrap_err()
            .to_string()
            .starts_with("value cannot be encoded: ")
    );
}

#[test]
fn bytes_become_attachments_at_any_depth() {
    let photo = Photo {
        title: "t".into(),
        size: None,
        data: Some(Binary::from(vec![1, 2])),
    };
    let args = from_values(("x", Bytes::from_static(b"\x03"), [photo]));
    assert_eq!(
        messages(&Dialect::Json.event("/", None, "e", &args)),
        [
            r#"52-["e","x",{"_placeholder":true,"num":0},[{"title":"t","size":null,"data":{"_placeholder":true,"num":1}}]]"#,
            "b:03",
            "b:0102",
        ]
    );
    assert_eq!(args.attachments(), [hex("03"), hex("0102")]);
    assert!(args.has_binary() && args.to_dialect(Dialect::Msgpack).has_binary());
    assert!(
        !from_values(vec![1_u8, 2]).has_binary(),
        "a Vec<u8> is an array of numbers"
    );
}

#[test]
fn reading_mirrors_writing() {
    reads(r#"["a","b"]"#, &Say("a".into(), "b".into()));
    reads(r#"["a",1]"#, &("a".to_owned(), 1));
    reads("[1,2,3]", &[1, 2, 3]);
    reads(r#"["a"]"#, &("a".to_owned(),));
    reads(r#"["a"]"#, &"a".to_owned());
    reads(r#"["a"]"#, &Name("a".into()));
    reads("[7]", &7_u8);
    reads("[[1,2]]", &vec![1, 2]);
    reads("[[1,2],[3,4]]", &((1, 2), (3, 4)));
    reads("[]", &());
    reads("[1,2]", &());
    reads("[1,2]", &Nothing);
    reads("[null]", &None::<u8>);
    reads("[5]", &Some(5));
    reads(r#"["dot"]"#, &Shape::Dot);
    reads(r#"[{"circle":1.5}]"#, &Shape::Circle(1.5));
    reads(r#"[{"line":[1,2]}]"#, &Shape::Line(1, 2));
    reads(r#"[{"rect":{"width":3}}]"#, &Shape::Rect { width: 3 });
    reads(r#"[{"1":"x"}]"#, &HashMap::from([(1_u8, 'x')]));
    reads("[5]", &TextOrNumber::Number(5));
    reads(r#"["5"]"#, &TextOrNumber::Text("5".into()));
    reads(
        r#"[{"title":"t"},0]"#,
        &Photo {
            title: "t".into(),
            size: None,
            data: None,
        },
    );
    reads("[1.5,2]", &(1.5, 2.0));
}

#[test]
fn surplus_arguments_are_ignored_and_missing_ones_are_null() {
    reads("[1,2,3]", &(1, 2));
    reads("[1]", &(1, None::<String>));
    reads("[]", &(None::<u8>, None::<Vec<u8>>));
    reads("[]", &None::<u8>);
    reads("[]", &Value::Null);
    refuses::<(u8, u8)>("[1]", "argument 1: invalid type: null, expected u8");
    refuses::<String>("[]", "argument 0: invalid type: null, expected a string");
}

#[test]
fn the_offending_argument_is_named() {
    refuses::<(u8, String)>(
        "[1,2]",
        "argument 1: invalid type: integer `2`, expected a string",
    );
    refuses::<Say>(
        r#"[{},"b"]"#,
        "argument 0: invalid type: map, expected a string",
    );
    refuses::<Shape>(r#"["square"]"#, "argument 0: unknown variant `square`");
    refuses::<Photo>("[{}]", "argument 0: missing field `title`");
    let [json, _] = received("[1,[]]");
    assert!(
        json.get::<u8>(1)
            .unwrap_err()
            .to_string()
            .starts_with("argument 1: invalid type: sequence")
    );
}

#[test]
fn attachments_arrive_wherever_bytes_are_wanted() {
    reads(
        r#"["t",{"$b":"0102"}]"#,
        &("t".to_owned(), Binary::from(vec![1, 2])),
    );
    reads(r#"["t",{"$b":"0102"}]"#, &("t".to_owned(), hex("0102")));
    reads(r#"[{"$b":""}]"#, &Binary::default());
    reads(r#"[{"$b":"ff"}]"#, &Some(Binary::from(vec![255])));
    reads(
        r#"[[{"$b":"01"},{"$b":"02"}]]"#,
        &vec![hex("01"), hex("02")],
    );
    reads(
        r#"[{"title":"t","size":9,"data":{"$b":"0102"}}]"#,
        &Photo {
            title: "t".into(),
            size: Some(9),
            data: Some(Binary::from(vec![1, 2])),
        },
    );
    reads(
        r#"[1,{"x":[{"$b":"0a"}]}]"#,
        &(1, value(r#"{"x":[{"$b":"0a"}]}"#)),
    );
    refuses::<(Binary,)>(
        r#"["text"]"#,
        "argument 0: invalid type: string \"text\", expected binary",
    );
    refuses::<(String,)>(
        r#"[{"$b":"01"}]"#,
        "argument 0: invalid type: binary, expected a string",
    );
    // Without attachments, what looks like a placeholder is an object.
    reads(
        r#"[{"_placeholder":true,"num":0}]"#,
        &value(r#"{"_placeholder":true,"num":0}"#),
    );
}

#[test]
fn every_type_reads_the_same_beside_binary() {
    // With an attachment, arguments go through `Value` instead of straight from the text.
    #[track_caller]
    fn both<T: DeserializeOwned + PartialEq + std::fmt::Debug>(json: &str) {
        let plain = args(&format!("[{json}]")).parse::<(T,)>().map_err(drop);
        let beside = args(&format!("[{json},{{\"$b\":\"00\"}}]"))
            .parse::<(T,)>()
            .map_err(drop);
        assert_eq!(plain, beside, "{json}");
    }
    for json in [
        "1",
        "-1",
        "300",
        "1.5",
        "1e2",
        "true",
        "null",
        "\"a\"",
        "\"ab\"",
        "[1]",
        "{\"1\":2}",
        "{\"a\":null}",
        "\"dot\"",
    ] {
        both::<u8>(json);
        both::<i64>(json);
        both::<f64>(json);
        both::<bool>(json);
        both::<char>(json);
        both::<String>(json);
        both::<Option<String>>(json);
        both::<Vec<i32>>(json);
        both::<(i32,)>(json);
        both::<()>(json);
        both::<Name>(json);
        both::<Shape>(json);
        both::<HashMap<u8, u8>>(json);
        both::<HashMap<bool, u8>>(json);
        both::<HashMap<String, Option<u8>>>(json);
        both::<TextOrNumber>(json);
        both::<serde_json::Value>(json);
        both::<Value>(json);
    }
}

#[test]
fn single_arguments_can_be_taken_out() {
    for args in received(r#"[1,{"a":[{"$b":"01"}]},"x,]",{"$b":"02"},[]]"#) {
        assert_eq!(args.get::<u8>(0).unwrap(), 1);
        assert_eq!(args.first::<u8>().unwrap(), 1);
        assert_eq!(args.get::<String>(2).unwrap(), "x,]");
        assert_eq!(args.get::<Binary>(3).unwrap(), Binary::from(vec![2]));
        assert_eq!(
            args.get::<(Option<u8>, Option<u8>)>(4).unwrap_err().index,
            4
        );
        assert_eq!(args.get::<Option<u8>>(9).unwrap(), None);
        assert_eq!(args.nth(5), None);
        let fourth = args.nth(3).unwrap();
        assert_eq!(fourth.raw_json(), r#"[{"_placeholder":true,"num":0}]"#);
        assert_eq!(
            fourth.to_dialect(Dialect::Json).attachments(),
            [hex("02")],
            "no other attachment"
        );
        assert_eq!(
            args.nth(1).unwrap().to_values().unwrap(),
            [value(r#"{"a":[{"$b":"01"}]}"#)]
        );
    }
}

#[test]
fn an_offset_can_be_appended() {
    for args in received("[1]") {
        let longer = args.with_appended("17\"-0");
        assert_eq!((longer.len(), &*longer.raw_json()), (2, r#"[1,"17\"-0"]"#));
        assert_eq!(longer.dialect(), args.dialect());
    }
    assert_eq!(Args::none().with_appended("o").raw_json(), r#"["o"]"#);
    // Recorded from a run of the reference.
    let args = args(r#"[{"$b":"01"}]"#).with_appended("1795425796725-0");
    assert_eq!(
        messages(&Dialect::Json.event("/", None, "m2", &args)),
        [
            r#"51-["m2",{"_placeholder":true,"num":0},"1795425796725-0"]"#,
            "b:01"
        ]
    );
}

#[test]
fn arguments_can_come_from_json_text() {
    let args = Args::from_json(&ByteString::from_static(
        r#" [ 1 , {"_placeholder":true,"num":0} , [2] ] "#,
    ))
    .unwrap();
    assert_eq!(args.len(), 3);
    assert_eq!(
        args.raw_json(),
        r#"[1 , {"_placeholder":true,"num":0} , [2]]"#
    );
    assert_eq!(args.get::<Vec<u8>>(2).unwrap(), [2]);
    for text in ["", "{}", "[1", "[1,]", "[] []"] {
        assert_eq!(
            Args::from_json(&ByteString::from(text)),
            Err(DecodeError::InvalidPayload),
            "{text}"
        );
    }
}

#[test]
fn blanks_between_arguments_do_no_harm() {
    let packet = decode(&["2[ \"a\" , 1 ,\n{ \"b\" : 2 }\t]"]).unwrap();
    let Body::Event { name, args, .. } = packet.body else {
        panic!("no event")
    };
    assert_eq!((&*name, args.len()), ("a", 2));
    assert_eq!(
        args.parse::<(u8, HashMap<String, u8>)>().unwrap(),
        (1, HashMap::from([("b".into(), 2)]))
    );
    assert_eq!(args.nth(0).unwrap().raw_json(), "[1]");
}

#[test]
fn text_that_is_no_unicode_is_relayed_raw_and_read_with_replacements() {
    let packet = decode(&[r#"2["a","x\ud800y","\ud83d\ude00","\\ud800"]"#]).unwrap();
    let Body::Event { args, .. } = packet.body else {
        panic!("no event")
    };
    assert_eq!(
        messages(&Dialect::Json.event("/", None, "b", &args)),
        [r#"2["b","x\ud800y","\ud83d\ude00","\\ud800"]"#]
    );
    let expected = ["x\u{fffd}y", "😀", "\\ud800"].map(str::to_owned);
    assert_eq!(args.parse::<[String; 3]>().unwrap(), expected);
    assert_eq!(
        args.to_dialect(Dialect::Msgpack)
            .parse::<[String; 3]>()
            .unwrap(),
        expected
    );
    assert_eq!(args.get::<String>(0).unwrap(), expected[0]);
    // In MessagePack, invalid UTF-8 is handed on as it is too.
    let message = hex("83a47479706502a46461746192a161a1ffa36e7370a12f");
    let packet = Decoder::new(Dialect::Msgpack)
        .binary(message.clone(), &Limits::DEFAULT)
        .unwrap()
        .unwrap();
    let Body::Event { args, .. } = packet.body else {
        panic!("no event")
    };
    assert_eq!(
        Dialect::Msgpack.event("/", None, "a", &args),
        Encoded::Binary(message)
    );
    assert_eq!(args.parse::<String>().unwrap(), "\u{fffd}");
}

#[test]
fn names_that_come_again_are_shared_and_the_text_is_let_go() {
    let decode = || {
        let text = r#"2/admin,["event",{"a":1}]"#.to_owned();
        let packet = Decoder::new(Dialect::Json)
            .text(&text, &Limits::DEFAULT)
            .unwrap()
            .unwrap();
        let Body::Event { name, args, .. } = packet.body else {
            panic!("no event")
        };
        (packet.nsp, name, args)
    };
    let (one, other) = (decode(), decode());
    assert_eq!(one, other);
    assert_eq!(one.0.as_ptr(), other.0.as_ptr());
    assert_eq!(one.1.as_ptr(), other.1.as_ptr());
    assert_eq!((&*one.0, &*one.1), ("/admin", "event"));
    assert_eq!(one.2.joined(), r#"{"a":1}"#);
}

#[test]
fn integers_keep_their_digits_in_both_dialects() {
    for args in received("[18446744073709551615,-9223372036854775808,9007199254740993]") {
        assert_eq!(
            args.parse::<(u64, i64, u64)>().unwrap(),
            (u64::MAX, i64::MIN, 9_007_199_254_740_993)
        );
        assert_eq!(
            args.raw_json(),
            "[18446744073709551615,-9223372036854775808,9007199254740993]"
        );
    }
    // JavaScript has no floats that are whole.
    assert_eq!(
        to_hex(&args("[1.0,-2e1,1e300]").msgpack_values().0),
        "01ecc37e37e43c8800759c".replace("c3", "cb")
    );
}

#[test]
fn debug_output_shows_no_payload() {
    assert_eq!(
        format!("{:?}", from_values(("secret", 1))),
        "Args { dialect: Json, n_args: 2, n_bytes: 10, n_attachments: 0 }"
    );
}

#[test]
fn values_convert() {
    let from = [
        Value::from(true),
        Value::from(-1),
        Value::from(1.5),
        Value::from(f64::NAN),
        Value::from("a"),
        Value::from(Some(2_u32)),
        Value::from(None::<i64>),
        Value::from(hex("01")),
        Value::from(vec![Value::from(())]),
        Value::from(serde_json::json!({"b": [1], "a": {}})),
    ];
    let args: Args = from.into_iter().collect();
    assert_eq!(
        args.raw_json(),
        r#"[true,-1,1.5,null,"a",2,null,{"_placeholder":true,"num":0},[null],{"b":[1],"a":{}}]"#
    );
    assert!(value(r#"[{"a":{"$b":""}}]"#).has_binary());
    assert_eq!(
        value(r#"{"a":{"$b":"01"}}"#)
            .member("a")
            .and_then(Value::as_binary),
        Some(&hex("01"))
    );
}

#[test]
fn private_extensions_do_not_leave_the_server() {
    // [undefined, {a: undefined, b: 1}, new Date(0), ArrayBuffer 01, Buffer 02], as notepack.io 2.2 writes them.
    let data = hex("95d4000082a161d40000a16201d7000000000000000000c7010001c40102");
    let args = super::super::msgpack::read_args(&data, 10).unwrap();
    let mut out = Vec::new();
    super::super::msgpack::write_args(&mut out, &args.without_extensions());
    assert_eq!(
        to_hex(&out),
        format!(
            "95c081a16201b8{}c40101c40102",
            to_hex(b"1970-01-01T00:00:00.000Z")
        )
    );
    let plain = args.nth(4).unwrap();
    assert_eq!(plain.without_extensions(), plain);
}
