//! Numbers of every form come back; whatever the payload, decoding it gives an error or as many bytes as were asked for.
#![no_main]

use kolmo_codec::limits::Budget;
use kolmo_codec::numbers::{Form, Span, decode, encode};
use libfuzzer_sys::fuzz_target;

const FORMS: [Form; 8] =
    [Form::Bytes, Form::Integer8, Form::Integer16, Form::Float16, Form::Integer32, Form::Float32, Form::Integer64, Form::Float64];

fuzz_target!(|input: (Vec<(u8, u16)>, &[u8], u16)| {
    let (cuts, bytes, length) = input;
    let mut rest = bytes.len();
    let mut spans = Vec::new();
    for (form, count) in cuts {
        let form = FORMS[usize::from(form % 8)];
        let span = (usize::from(count) * form.width()).min(rest / form.width() * form.width());
        spans.push(Span { form, bytes: span as u64 });
        rest -= span;
    }
    spans.push(Span { form: Form::Bytes, bytes: rest as u64 });
    let coded = encode(bytes, &spans).expect("spans make up the bytes");
    let decoded = decode(&coded, bytes.len() as u64, &mut Budget::new(1 << 26)).expect("what was encoded decodes");
    assert_eq!(decoded, bytes);
    if let Ok(decoded) = decode(bytes, length.into(), &mut Budget::new(1 << 20)) {
        assert_eq!(decoded.len(), usize::from(length));
    }
});
