//! Generated: what the reference parsers made of these inputs. Each line was recorded from a run of theirs.

/// Messages of one session (`b:` and hex is a binary one), and what `socket.io-parser` 4.2.7 made of them: `type|nsp|id|data`.
pub(super) const DECODED: &[(&[&str], &[&str])] = &[
    (&["0"], &["0|/||"]),
    (&["0{}"], &["0|/||{}"]),
    (&[r#"0{"token":"123"}"#], &[r#"0|/||{"token":"123"}"#]),
    (&["0/admin,"], &["0|/admin||"]),
    (&["0/admin"], &["0|/admin||"]),
    (
        &[r#"0/admin,{"sid":"oSO0OpakMV_3jnilAAAA"}"#],
        &[r#"0|/admin||{"sid":"oSO0OpakMV_3jnilAAAA"}"#],
    ),
    (&["0[]"], &["error"]),
    (&[r#"0"x""#], &["error"]),
    (&["0null"], &["error"]),
    (&["01"], &["0|/|1|"]),
    (&[r#"0/admin,"invalid""#], &["error"]),
    (
        &["0/admin?token=1234&uid=abcd,"],
        &["0|/admin?token=1234&uid=abcd||"],
    ),
    (&["1"], &["1|/||"]),
    (&["1/admin,"], &["1|/admin||"]),
    (&["1/admin"], &["1|/admin||"]),
    (&["1{}"], &["error"]),
    (&["1/admin,{}"], &["error"]),
    (&["1[]"], &["error"]),
    (&["2"], &["2|/||"]),
    (&["212"], &["2|/|12|"]),
    (&["2/admin,"], &["2|/admin||"]),
    (&[r#"2["foo"]"#], &[r#"2|/||["foo"]"#]),
    (&[r#"2/admin,["bar"]"#], &[r#"2|/admin||["bar"]"#]),
    (&[r#"212["foo"]"#], &[r#"2|/|12|["foo"]"#]),
    (
        &[r#"2/admin,456["project:delete",123]"#],
        &[r#"2|/admin|456|["project:delete",123]"#],
    ),
    (&[r#"2["a",1,{}]"#], &[r#"2|/||["a",1,{}]"#]),
    (&[r#"2[1,"a",{}]"#], &[r#"2|/||[1,"a",{}]"#]),
    (&["2[-5]"], &["2|/||[-5]"]),
    (&["2[1e3,true]"], &["2|/||[1000,true]"]),
    (&["2[0.5]"], &["2|/||[0.5]"]),
    (&["2[]"], &["error"]),
    (&["2{}"], &["error"]),
    (&[r#"2"foo""#], &["error"]),
    (&[r#"2[true,"foo"]"#], &["error"]),
    (&[r#"2[null,"bar"]"#], &["error"]),
    (&[r#"2[{"toString":"foo"}]"#], &["error"]),
    (&[r#"2[["a"]]"#], &["error"]),
    (&[r#"2/admin,"invalid"#], &["error"]),
    (&["2/admin,{}"], &["error"]),
    (&[r#"2["a""#], &["error"]),
    (&[r#"2["a",]"#], &["error"]),
    (&[r#"2["a"]x"#], &["error"]),
    (&[r#"2["a"] "#], &[r#"2|/||["a"]"#]),
    (&[r#"2abc["message"]"#], &["error"]),
    (&[r#"2-1["a"]"#], &["error"]),
    (&[r#"2["a",01]"#], &["error"]),
    (&[r#"2["a",+1]"#], &["error"]),
    (&["2['a']"], &["error"]),
    (&["2[\"a\u{1}\"]"], &["error"]),
    (&[r#"2["a",NaN]"#], &["error"]),
    (&[r#"2["a",1.]"#], &["error"]),
    (&[r#"2["a",.5]"#], &["error"]),
    (&[r#"2["a",tru]"#], &["error"]),
    (&[r#"2["connect"]"#], &["error"]),
    (&[r#"2["connect_error"]"#], &["error"]),
    (&[r#"2["disconnect","123"]"#], &["error"]),
    (&[r#"2["disconnecting"]"#], &["error"]),
    (&[r#"2["newListener"]"#], &["error"]),
    (&[r#"2["removeListener"]"#], &["error"]),
    (&[r#"2["conn\u0065ct"]"#], &["error"]),
    (&[r#"2["connect "]"#], &[r#"2|/||["connect "]"#]),
    (&[r#"2["error"]"#], &[r#"2|/||["error"]"#]),
    (&[r#"2["connection"]"#], &[r#"2|/||["connection"]"#]),
    (&[r#"2["caf\u00e9","é😀"]"#], &[r#"2|/||["café","é😀"]"#]),
    (&[r#"2["\"","\\"]"#], &[r#"2|/||["\"","\\"]"#]),
    (&[r#"2["a\nb"]"#], &[r#"2|/||["a\nb"]"#]),
    (
        &[r#"2["__proto__",{"__proto__":{"x":1},"b":2,"a":1}]"#],
        &[r#"2|/||["__proto__",{"__proto__":{"x":1},"b":2,"a":1}]"#],
    ),
    (&[r#"2["","x"]"#], &[r#"2|/||["","x"]"#]),
    (
        &[r#"2["a",{"_placeholder":true,"num":0}]"#],
        &[r#"2|/||["a",{"_placeholder":true,"num":0}]"#],
    ),
    (
        &[r#"2["a",{"_placeholder":true,"num":9}]"#],
        &[r#"2|/||["a",{"_placeholder":true,"num":9}]"#],
    ),
    (&[r#"2/,["a"]"#], &[r#"2|/||["a"]"#]),
    (&[r#"2/a/b,["a"]"#], &[r#"2|/a/b||["a"]"#]),
    (&[r#"2/a,b["a"]"#], &["error"]),
    (&[r#"2//,["a"]"#], &[r#"2|//||["a"]"#]),
    (&[r#"2/a12["a"]"#], &[r#"2|/a12["a"]||"#]),
    (&[r#"2/ünï,7["a"]"#], &[r#"2|/ünï|7|["a"]"#]),
    (&["3"], &["3|/||"]),
    (&["31"], &["3|/|1|"]),
    (&["3[]"], &["3|/||[]"]),
    (&["3/admin,456[]"], &["3|/admin|456|[]"]),
    (&[r#"3/admin,13["bar"]"#], &[r#"3|/admin|13|["bar"]"#]),
    (&[r#"3123["a",1,{}]"#], &[r#"3|/|123|["a",1,{}]"#]),
    (&["3{}"], &["error"]),
    (&[r#"3"a""#], &["error"]),
    (&["3null"], &["error"]),
    (&["3[null]"], &["3|/||[null]"]),
    (&[r#"3["connect"]"#], &[r#"3|/||["connect"]"#]),
    (&["4"], &["4|/||"]),
    (&[r#"4"Unauthorized""#], &[r#"4|/||"Unauthorized""#]),
    (
        &[r#"4{"message":"Not authorized"}"#],
        &[r#"4|/||{"message":"Not authorized"}"#],
    ),
    (
        &[r#"4/admin,"Not authorized""#],
        &[r#"4|/admin||"Not authorized""#],
    ),
    (&["4[]"], &["error"]),
    (&["4null"], &["error"]),
    (&["412"], &["4|/|12|"]),
    (&[r#"442["some","data""#], &["error"]),
    (&["5"], &["error"]),
    (&["51"], &["error"]),
    (&["5a-"], &["error"]),
    (&["51.23-"], &["error"]),
    (&[r#"5-["a"]"#], &["error"]),
    (&[r#"5-1-["a"]"#], &["error"]),
    (&[r#"511-["a"]"#], &["error"]),
    (&[r#"599999999999999999999-["a"]"#], &["error"]),
    (&[r#"51["a"]"#], &["error"]),
    (&["51-"], &[]),
    (&["51-{}"], &["error"]),
    (&[r#"51-[{"_placeholder":true,"num":0}]"#], &["error"]),
    (
        &[r#"51-["connect",{"_placeholder":true,"num":0}]"#],
        &["error"],
    ),
    (&["7"], &["error"]),
    (&["9"], &["error"]),
    (&["999"], &["error"]),
    (&["abc"], &["error"]),
    (&["-1"], &["error"]),
    (&["{}"], &["error"]),
    (&["é"], &["error"]),
    (
        &[r#"51-["hello",{"_placeholder":true,"num":0}]"#, "b:010203"],
        &[r#"2|/||["hello",{"$b":"010203"}]"#],
    ),
    (
        &[
            r#"51-/admin,456["project:delete",{"_placeholder":true,"num":0}]"#,
            "b:010203",
        ],
        &[r#"2|/admin|456|["project:delete",{"$b":"010203"}]"#],
    ),
    (
        &[r#"51-["baz",{"_placeholder":true,"num":0}]"#, "b:01020304"],
        &[r#"2|/||["baz",{"$b":"01020304"}]"#],
    ),
    (
        &[
            r#"52-/admin,["baz",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#,
            "b:0102",
            "b:0304",
        ],
        &[r#"2|/admin||["baz",{"$b":"0102"},{"$b":"0304"}]"#],
    ),
    (
        &[
            r#"61-15["bar",{"_placeholder":true,"num":0}]"#,
            "b:01020304",
        ],
        &[r#"3|/|15|["bar",{"$b":"01020304"}]"#],
    ),
    (
        &[
            r#"61-/admin,456[{"_placeholder":true,"num":0}]"#,
            "b:030201",
        ],
        &[r#"3|/admin|456|[{"$b":"030201"}]"#],
    ),
    (
        &[r#"61-[{"_placeholder":true,"num":0}]"#, "b:"],
        &[r#"3|/||[{"$b":""}]"#],
    ),
    (
        &[
            r#"52-["a",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]"#,
            "b:01",
            "b:02",
        ],
        &[r#"2|/||["a",{"$b":"02"},{"$b":"01"}]"#],
    ),
    (
        &[
            r#"51-["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]"#,
            "b:01",
        ],
        &[r#"2|/||["a",{"$b":"01"},{"$b":"01"}]"#],
    ),
    (
        &[r#"52-["a",{"_placeholder":true,"num":0}]"#, "b:01", "b:02"],
        &[r#"2|/||["a",{"$b":"01"}]"#],
    ),
    (&[r#"51-["a"]"#, "b:01"], &[r#"2|/||["a"]"#]),
    (
        &[
            r#"51-["a",{"deep":[{"x":{"_placeholder":true,"num":0}}]}]"#,
            "b:0a",
        ],
        &[r#"2|/||["a",{"deep":[{"x":{"$b":"0a"}}]}]"#],
    ),
    (
        &[r#"51-["a",{"num":0,"_placeholder":true}]"#, "b:0a"],
        &[r#"2|/||["a",{"$b":"0a"}]"#],
    ),
    (
        &[
            r#"51-["a",{"_placeholder":true,"num":0,"more":[1]}]"#,
            "b:0a",
        ],
        &[r#"2|/||["a",{"$b":"0a"}]"#],
    ),
    (
        &[
            r#"51-["a",{"_placeholder":true,"num":0,"more":{"_placeholder":true,"num":7}}]"#,
            "b:0a",
        ],
        &[r#"2|/||["a",{"$b":"0a"}]"#],
    ),
    (
        &[r#"51-["a",{"_placeholder":1,"num":0}]"#, "b:0a"],
        &[r#"2|/||["a",{"_placeholder":1,"num":0}]"#],
    ),
    (
        &[r#"51-["a",{"_placeholder":false,"num":5}]"#, "b:0a"],
        &[r#"2|/||["a",{"_placeholder":false,"num":5}]"#],
    ),
    (
        &[
            r#"51-["a",{"_placehold\u0065r":true,"n\u0075m":0}]"#,
            "b:0a",
        ],
        &[r#"2|/||["a",{"$b":"0a"}]"#],
    ),
    (
        &[r#"51-["a",{"_placeholder":true,"num":1}]"#, "b:0a"],
        &["error"],
    ),
    (
        &[r#"51-["a",{"_placeholder":true,"num":-1}]"#, "b:0a"],
        &["error"],
    ),
    (
        &[r#"51-["a",{"_placeholder":true,"num":"0"}]"#, "b:0a"],
        &["error"],
    ),
    (&[r#"51-["a",{"_placeholder":true}]"#, "b:0a"], &["error"]),
    (
        &[r#"51-["a",{"_placeholder":true,"num":1e0}]"#, "b:0a"],
        &["error"],
    ),
    (
        &[r#"51-["a",{"_placeholder":true,"num":0.0}]"#, "b:0a"],
        &[r#"2|/||["a",{"$b":"0a"}]"#],
    ),
    (
        &[r#"51-["a",{"_placeholder":true,"num":5,"num":0}]"#, "b:0a"],
        &[r#"2|/||["a",{"$b":"0a"}]"#],
    ),
    (
        &[r#"51-["a",{"_placeholder":true,"num":0,"num":[]}]"#, "b:0a"],
        &["error"],
    ),
    (
        &[r#"51-["a",[{"_placeholder":true,"num":3}]]"#, "b:0a"],
        &["error"],
    ),
    (&["51-", "b:0a"], &["2|/||"]),
    (&[r#"51-["a"]"#, r#"2["b"]"#], &["error"]),
    (
        &[r#"51-["a"]"#, "b:01", r#"2["b"]"#],
        &[r#"2|/||["a"]"#, r#"2|/||["b"]"#],
    ),
    (&["b:01"], &["error"]),
    (&[r#"2["a"]"#, "b:01"], &[r#"2|/||["a"]"#, "error"]),
    (
        &[r#"2["a"]"#, r#"212["b"]"#, "1"],
        &[r#"2|/||["a"]"#, r#"2|/|12|["b"]"#, "1|/||"],
    ),
];

/// Packets `type|nsp|id|data`, the messages `socket.io-parser` 4.2.7 encodes them as, and the bytes of `socket.io-msgpack-parser` 3.0.2.
pub(super) const ENCODED: &[(&str, &[&str], &str)] = &[
    (
        r#"2|/||["foo"]"#,
        &[r#"2["foo"]"#],
        "83a47479706502a46461746191a3666f6fa36e7370a12f",
    ),
    (
        r#"2|/admin||["bar"]"#,
        &[r#"2/admin,["bar"]"#],
        "83a47479706502a46461746191a3626172a36e7370a62f61646d696e",
    ),
    (
        r#"2|/|12|["foo"]"#,
        &[r#"212["foo"]"#],
        "84a47479706502a46461746191a3666f6fa269640ca36e7370a12f",
    ),
    (
        r#"2|/test|1|["a",1,{}]"#,
        &[r#"2/test,1["a",1,{}]"#],
        "84a47479706502a46461746193a1610180a2696401a36e7370a52f74657374",
    ),
    (
        r#"2|/admin|456|["project:delete",123]"#,
        &[r#"2/admin,456["project:delete",123]"#],
        "84a47479706502a46461746192ae70726f6a6563743a64656c6574657ba26964cd01c8a36e7370a62f61646d696e",
    ),
    (
        r#"2|/||["baz",{"$b":"01020304"}]"#,
        &[r#"51-["baz",{"_placeholder":true,"num":0}]"#, "b:01020304"],
        "83a47479706502a46461746192a362617ac40401020304a36e7370a12f",
    ),
    (
        r#"2|/admin||["baz",{"$b":"0102"},{"$b":"0304"}]"#,
        &[
            r#"52-/admin,["baz",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#,
            "b:0102",
            "b:0304",
        ],
        "83a47479706502a46461746193a362617ac4020102c4020304a36e7370a62f61646d696e",
    ),
    (
        r#"2|/admin|456|["project:delete",{"$b":"010203"}]"#,
        &[
            r#"51-/admin,456["project:delete",{"_placeholder":true,"num":0}]"#,
            "b:010203",
        ],
        "84a47479706502a46461746192ae70726f6a6563743a64656c657465c403010203a26964cd01c8a36e7370a62f61646d696e",
    ),
    (
        "2|/||[\"e\",null,true,-1,2.5,\"é😀\\\"\\\\\\n\\u001f\u{2028}\",{\"b\":1,\"a\":[[]]}]",
        &["2[\"e\",null,true,-1,2.5,\"é😀\\\"\\\\\\n\\u001f\u{2028}\",{\"b\":1,\"a\":[[]]}]"],
        "83a47479706502a46461746197a165c0c3ffcb4004000000000000adc3a9f09f9880225c0a1fe280a882a16201a1619190a36e7370a12f",
    ),
    (
        r#"2|/||["q\"\\\n\u0001é",1]"#,
        &[r#"2["q\"\\\n\u0001é",1]"#],
        "83a47479706502a46461746192a771225c0a01c3a901a36e7370a12f",
    ),
    (
        r#"2|/||[""]"#,
        &[r#"2[""]"#],
        "83a47479706502a46461746191a0a36e7370a12f",
    ),
    (
        r#"2|/|0|["d",{"x":[{"y":{"$b":"ff"}}],"z":[{"$b":""}]}]"#,
        &[
            r#"52-0["d",{"x":[{"y":{"_placeholder":true,"num":0}}],"z":[{"_placeholder":true,"num":1}]}]"#,
            "b:ff",
            "b:",
        ],
        "84a47479706502a46461746192a16482a1789181a179c401ffa17a91c400a2696400a36e7370a12f",
    ),
    (
        r#"2|/||["n",128,255,256,65535,65536,4294967295,4294967296,9007199254740991,-32,-33,-128,-129,-32768,-32769,-2147483648,-2147483649,-9007199254740991,0.1,-0.5,1e+300]"#,
        &[
            r#"2["n",128,255,256,65535,65536,4294967295,4294967296,9007199254740991,-32,-33,-128,-129,-32768,-32769,-2147483648,-2147483649,-9007199254740991,0.1,-0.5,1e+300]"#,
        ],
        "83a47479706502a464617461dc0015a16ecc80ccffcd0100cdffffce00010000ceffffffffcf0000000100000000cf001fffffffffffffe0d0dfd080d1ff7fd18000d2ffff7fffd280000000d3ffffffff7fffffffd3ffe0000000000001cb3fb999999999999acbbfe0000000000000cf0000000000000000a36e7370a12f",
    ),
    (
        r#"2|/||["s","xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx","xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx","xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx","xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]"#,
        &[
            r#"2["s","xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx","xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx","xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx","xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]"#,
        ],
        "83a47479706502a46461746195a173bf78787878787878787878787878787878787878787878787878787878787878d9207878787878787878787878787878787878787878787878787878787878787878d9ff787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878da010078787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878a36e7370a12f",
    ),
    (
        r#"2|/||["c",[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],{"k0":0,"k1":1,"k2":2,"k3":3,"k4":4,"k5":5,"k6":6,"k7":7,"k8":8,"k9":9,"k10":10,"k11":11,"k12":12,"k13":13,"k14":14,"k15":15}]"#,
        &[
            r#"2["c",[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],{"k0":0,"k1":1,"k2":2,"k3":3,"k4":4,"k5":5,"k6":6,"k7":7,"k8":8,"k9":9,"k10":10,"k11":11,"k12":12,"k13":13,"k14":14,"k15":15}]"#,
        ],
        "83a47479706502a46461746194a1639f000000000000000000000000000000dc001000000000000000000000000000000000de0010a26b3000a26b3101a26b3202a26b3303a26b3404a26b3505a26b3606a26b3707a26b3808a26b3909a36b31300aa36b31310ba36b31320ca36b31330da36b31340ea36b31350fa36e7370a12f",
    ),
    (
        r#"2|/||["b",{"$b":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},{"$b":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"},{"$b":""}]"#,
        &[
            r#"53-["b",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1},{"_placeholder":true,"num":2}]"#,
            "b:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "b:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
            "b:",
        ],
        "83a47479706502a46461746194a162c4ffaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac50100bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbc400a36e7370a12f",
    ),
    (
        "3|/admin|456|[]",
        &["3/admin,456[]"],
        "84a47479706503a46461746190a26964cd01c8a36e7370a62f61646d696e",
    ),
    (
        r#"3|/admin|13|["bar"]"#,
        &[r#"3/admin,13["bar"]"#],
        "84a47479706503a46461746191a3626172a269640da36e7370a62f61646d696e",
    ),
    (
        r#"3|/|123|["a",1,{}]"#,
        &[r#"3123["a",1,{}]"#],
        "84a47479706503a46461746193a1610180a269647ba36e7370a12f",
    ),
    (
        r#"3|/|15|["bar",{"$b":"01020304"}]"#,
        &[
            r#"61-15["bar",{"_placeholder":true,"num":0}]"#,
            "b:01020304",
        ],
        "84a47479706503a46461746192a3626172c40401020304a269640fa36e7370a12f",
    ),
    (
        r#"3|/admin|456|[{"$b":"030201"}]"#,
        &[
            r#"61-/admin,456[{"_placeholder":true,"num":0}]"#,
            "b:030201",
        ],
        "84a47479706503a46461746191c403030201a26964cd01c8a36e7370a62f61646d696e",
    ),
    (
        r#"0|/admin||{"sid":"oSO0OpakMV_3jnilAAAA"}"#,
        &[r#"0/admin,{"sid":"oSO0OpakMV_3jnilAAAA"}"#],
        "83a47479706500a46461746181a3736964b46f534f304f70616b4d565f336a6e696c41414141a36e7370a62f61646d696e",
    ),
    (
        r#"0|/||{"sid":"s","pid":"p\""}"#,
        &[r#"0{"sid":"s","pid":"p\""}"#],
        "83a47479706500a46461746182a3736964a173a3706964a27022a36e7370a12f",
    ),
    ("0|/||", &["0"], "82a47479706500a36e7370a12f"),
    (
        "0|/admin||",
        &["0/admin,"],
        "82a47479706500a36e7370a62f61646d696e",
    ),
    ("1|/||", &["1"], "82a47479706501a36e7370a12f"),
    (
        "1|/admin||",
        &["1/admin,"],
        "82a47479706501a36e7370a62f61646d696e",
    ),
    (
        r#"4|/random||{"message":"Invalid namespace"}"#,
        &[r#"4/random,{"message":"Invalid namespace"}"#],
        "83a47479706504a46461746181a76d657373616765b1496e76616c6964206e616d657370616365a36e7370a72f72616e646f6d",
    ),
    (
        r#"4|/||{"message":"unauthorized","data":{"code":"E_AUTH"}}"#,
        &[r#"4{"message":"unauthorized","data":{"code":"E_AUTH"}}"#],
        "83a47479706504a46461746182a76d657373616765ac756e617574686f72697a6564a46461746181a4636f6465a6455f41555448a36e7370a12f",
    ),
    (
        r#"4|/admin||"Not authorized""#,
        &[r#"4/admin,"Not authorized""#],
        "83a47479706504a464617461ae4e6f7420617574686f72697a6564a36e7370a62f61646d696e",
    ),
    (
        r#"4|/||{"code":7}"#,
        &[r#"4{"code":7}"#],
        "83a47479706504a46461746181a4636f646507a36e7370a12f",
    ),
];

/// Binary messages, and what `socket.io-msgpack-parser` 3.0.2 made of them: `type|nsp|id|data`.
pub(super) const MSGPACK_DECODED: &[(&str, &str, &str)] = &[
    (
        "ordinary event",
        "83a47479706502a46461746192a16101a36e7370a12f",
        r#"2|/||["a",1]"#,
    ),
    (
        "as the client sends it",
        "84a47479706502a46461746192a16101a76f7074696f6e7381a8636f6d7072657373c3a36e7370a12f",
        r#"2|/||["a",1]"#,
    ),
    (
        "with id",
        "85a47479706502a46461746191a161a76f7074696f6e7381a8636f6d7072657373c3a2696407a36e7370a22f78",
        r#"2|/x|7|["a"]"#,
    ),
    (
        "undefined id and data",
        "84a47479706500a464617461d40000a26964d40000a36e7370a12f",
        "0|/||",
    ),
    (
        "connect with auth",
        "83a47479706500a46461746181a5746f6b656ea178a36e7370a12f",
        r#"0|/||{"token":"x"}"#,
    ),
    (
        "connect without data",
        "82a47479706500a36e7370a12f",
        "0|/||",
    ),
    (
        "connect with text",
        "83a47479706500a464617461a178a36e7370a12f",
        "error",
    ),
    (
        "connect with array",
        "83a47479706500a46461746190a36e7370a12f",
        "error",
    ),
    (
        "connect with nil",
        "83a47479706500a464617461c0a36e7370a12f",
        "error",
    ),
    (
        "connect with buffer",
        "83a47479706500a464617461c40101a36e7370a12f",
        "error",
    ),
    ("disconnect", "82a47479706501a36e7370a12f", "1|/||"),
    (
        "disconnect with data",
        "83a47479706501a46461746180a36e7370a12f",
        "error",
    ),
    (
        "disconnect with nil",
        "83a47479706501a464617461c0a36e7370a12f",
        "error",
    ),
    (
        "ack",
        "84a47479706503a2696403a46461746192a172c4020102a36e7370a12f",
        r#"3|/|3|["r",{"$b":"0102"}]"#,
    ),
    (
        "ack without data",
        "83a47479706503a2696403a36e7370a12f",
        "error",
    ),
    ("event without data", "82a47479706502a36e7370a12f", "error"),
    (
        "event with object",
        "83a47479706502a46461746180a36e7370a12f",
        "error",
    ),
    (
        "connect error text",
        "83a47479706504a464617461a178a36e7370a12f",
        r#"4|/||"x""#,
    ),
    (
        "connect error object",
        "83a47479706504a46461746181a76d657373616765a178a36e7370a12f",
        r#"4|/||{"message":"x"}"#,
    ),
    (
        "connect error array",
        "83a47479706504a46461746190a36e7370a12f",
        "error",
    ),
    ("connect error alone", "82a47479706504a36e7370a12f", "error"),
    (
        "type 5",
        "83a47479706505a46461746191a161a36e7370a12f",
        "error",
    ),
    (
        "type -1",
        "83a474797065ffa46461746191a161a36e7370a12f",
        "error",
    ),
    (
        "type text",
        "83a474797065a132a46461746191a161a36e7370a12f",
        "error",
    ),
    (
        "type 2.5",
        "83a474797065cb4004000000000000a46461746191a161a36e7370a12f",
        "error",
    ),
    ("no type", "82a46461746191a161a36e7370a12f", "error"),
    ("no nsp", "82a47479706502a46461746191a161", "error"),
    (
        "nsp number",
        "83a47479706502a46461746191a161a36e737001",
        "error",
    ),
    (
        "nsp nil",
        "83a47479706502a46461746191a161a36e7370c0",
        "error",
    ),
    (
        "id text",
        "84a47479706502a46461746191a161a26964a131a36e7370a12f",
        "error",
    ),
    (
        "id nil",
        "84a47479706502a46461746191a161a26964c0a36e7370a12f",
        "error",
    ),
    (
        "id 1.5",
        "84a47479706502a46461746191a161a26964cb3ff8000000000000a36e7370a12f",
        "error",
    ),
    (
        "numeric name",
        "83a47479706502a464617461920501a36e7370a12f",
        "2|/||[5,1]",
    ),
    (
        "date",
        "83a47479706502a46461746194a161d7000000018bcfe5687bd700ffffffffffffffffd7000000000000000000a36e7370a12f",
        r#"2|/||["a","2023-11-14T22:13:20.123Z","1969-12-31T23:59:59.999Z","1970-01-01T00:00:00.000Z"]"#,
    ),
    (
        "far dates",
        "83a47479706502a46461746194a161d700001eb208c2dc0000d700ffe14df73d240000d700ffffc76e394a7400a36e7370a12f",
        r#"2|/||["a","+275760-09-13T00:00:00.000Z","-271821-04-20T00:00:00.000Z","-000001-01-01T00:00:00.000Z"]"#,
    ),
    (
        "array buffers",
        "83a47479706502a46461746194a161c7010001c708000102030405060708c8012c00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000a36e7370a12f",
        r#"2|/||["a",{"$b":"01"},{"$b":"0102030405060708"},{"$b":"000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"}]"#,
    ),
    (
        "undefined inside",
        "83a47479706502a46461746193a161d4000081a178d40000a36e7370a12f",
        r#"2|/||["a",null,{}]"#,
    ),
    (
        "floats",
        "83a47479706502a46461746198a161cb3fb999999999999acbbfe0000000000000cf0000000000000000cb7ff8000000000000cb7ff0000000000000cbfff0000000000000cb3e7ad7f29abcaf48a36e7370a12f",
        r#"2|/||["a",0.1,-0.5,0,null,null,null,1e-7]"#,
    ),
    (
        "float 32",
        "83a47479706502a36e7370a12fa46461746192a161ca3dcccccd",
        r#"2|/||["a",0.10000000149011612]"#,
    ),
    (
        "type as float",
        "83a474797065cb4000000000000000a36e7370a12fa46461746191a161",
        r#"2|/||["a"]"#,
    ),
    (
        "unknown extension",
        "83a47479706502a36e7370a12fa46461746193a161d60501020304c70309010203",
        r#"2|/||["a",[5,{"$b":"01020304"}],[9,{"$b":"010203"}]]"#,
    ),
    ("trailing byte", "82a47479706501a36e7370a12f00", "error"),
    ("cut off", "82a47479706501a3", "error"),
    ("reserved byte", "c1", "error"),
    ("empty", "", "error"),
    ("nil", "c0", "error"),
    ("array", "90", "error"),
    ("text", "a131", "error"),
    ("item count bomb", "ddffffffff", "error"),
    ("map count bomb", "dfffffffff", "error"),
    ("string length bomb", "dbffffffff", "error"),
    (
        "64-bit integers",
        "83a47479706502a36e7370a12fa46461746193a161cf001fffffffffffffd3ffe0000000000001",
        r#"2|/||["a",9007199254740991,-9007199254740991]"#,
    ),
    (
        "wide forms",
        "83d90474797065cc02d9036e7370da00012fdb0000000464617461dc0002d90161de0001a162d30000000000000001",
        r#"2|/||["a",{"b":1}]"#,
    ),
];

/// Dates as `notepack.io` 3.0.1 writes them (the cluster's wire), and as JSON has them.
pub(super) const TIMESTAMPS: &[(&str, &str)] = &[
    ("d6ff00000000", "1970-01-01T00:00:00.000Z"),
    ("d6ff00000001", "1970-01-01T00:00:01.000Z"),
    ("d6ff6553f100", "2023-11-14T22:13:20.000Z"),
    ("d7ff1d5353006553f100", "2023-11-14T22:13:20.123Z"),
    ("d6ffffffffff", "2106-02-07T06:28:15.000Z"),
    ("d7ff0000000100000000", "2106-02-07T06:28:16.000Z"),
    ("d7ff003d090100000000", "2106-02-07T06:28:16.001Z"),
    ("d7ffee2e1f03ffffffff", "2514-05-30T01:53:03.999Z"),
    ("c70cff000000000000000400000000", "2514-05-30T01:53:04.000Z"),
    ("c70cff3b8b87c0ffffffffffffffff", "1969-12-31T23:59:59.999Z"),
    ("c70cff1dcd6500fffffffffffffffe", "1969-12-31T23:59:58.500Z"),
    ("c70cff3b8b87c00000003afff4417f", "9999-12-31T23:59:59.999Z"),
    (
        "c70cff000000000000003afff44180",
        "+010000-01-01T00:00:00.000Z",
    ),
    ("d6ff38bb0c00", "2000-02-29T00:00:00.000Z"),
    ("d6ff65dfc900", "2024-02-29T00:00:00.000Z"),
];
