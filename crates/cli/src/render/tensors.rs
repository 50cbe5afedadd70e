//! Tensors of checkpoints.

use std::fmt::Write as _;

use kolmo::summary::TensorSummary;

use super::{Paint, counted, grouped, shown};

/// A line each.
pub(crate) fn tensors(tensors: &[TensorSummary], paint: Paint) -> String {
    let mut text = String::new();
    let shapes: Vec<String> = tensors.iter().map(|tensor| shape(&tensor.shape)).collect();
    let width = shapes.iter().map(String::len).max().unwrap_or(0).max(5);
    let head = format!("{:<8} {:<width$} {:>15} {:>15}  tensor", "type", "shape", "bytes", "at byte");
    let _ = writeln!(text, "{}", paint.faint(&head));
    for (tensor, shape) in tensors.iter().zip(shapes) {
        let (bytes, offset) = (grouped(tensor.bytes), grouped(tensor.offset));
        let _ =
            writeln!(text, "{:<8} {shape:<width$} {bytes:>15} {offset:>15}  {}::{}", shown(&tensor.dtype), shown(&tensor.path), shown(&tensor.name));
    }
    let total = tensors.iter().map(|tensor| tensor.bytes).sum::<u64>();
    let total = format!("{} bytes in {}", grouped(total), counted(tensors.len() as u64, "tensor", "tensors"));
    let _ = writeln!(text, "{}", paint.faint(&total));
    text
}

/// The one that was written.
pub(crate) fn tensor(tensor: &TensorSummary, output: &str, paint: Paint) -> String {
    let what = paint.strong(&format!("{} {}", shown(&tensor.dtype), shape(&tensor.shape)));
    format!(" {what}   {}\n written to {}\n", counted(tensor.bytes, "byte", "bytes"), shown(output))
}

/// `64x3x3`, or `scalar`.
fn shape(axes: &[u64]) -> String {
    if axes.is_empty() { "scalar".to_owned() } else { axes.iter().map(u64::to_string).collect::<Vec<_>>().join("x") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_type_shape_and_place() {
        let weight =
            TensorSummary { path: "m.safetensors".into(), name: "conv1".into(), dtype: "F32".into(), shape: vec![64, 3], offset: 1200, bytes: 768 };
        let page = tensors(&[weight.clone(), TensorSummary { shape: vec![], ..weight }], Paint::plain());
        let words: Vec<_> = page.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(words, ["F32", "64x3", "768", "1,200", "m.safetensors::conv1"]);
        assert!(page.contains("scalar") && page.ends_with("1,536 bytes in 2 tensors\n"));
    }
}
