//! Tensors in safetensors files: codes and scales as tensors, format and shape as metadata.

use std::collections::HashMap;

use aligned_vec::AVec;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::int4::Group;
use crate::{Affine, Error, ErrorKind, Format, QuantizedTensor, Scheme};

/// The metadata key, and the first line of its value. The lines after it describe one tensor each.
/// One key for all, because the order of several would be that of a hash map.
const KEY: &str = "edgekit.quantize";
const VERSION: &str = "version 1";

/// Writes named tensors as one safetensors file.
///
/// `NAME` holds the codes (I8 or F16 or BF16 in the tensor's shape, U8 in rows of packed pairs),
/// `NAME.scales` (F32) and `NAME.zero_points` (I8) what belongs to them; the metadata key
/// `edgekit.quantize` has a line for each tensor with format, shape and name, such as
/// `int8-symmetric axis=0 shape=10x64 NAME`. Any safetensors reader can read the parts. The same
/// tensors give the same bytes.
///
/// # Errors
/// [`ErrorKind::Config`] for a name that is empty, has a line break, comes twice, or ends as one of
/// the parts above.
pub fn to_safetensors(tensors: &[(&str, &QuantizedTensor)]) -> Result<Vec<u8>, Error> {
    let mut descriptions = VERSION.to_string();
    // Scales as bytes live here while the views borrow them.
    let mut parts: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
    for (i, &(name, tensor)) in tensors.iter().enumerate() {
        let taken = name.is_empty()
            || name.contains('\n')
            || name.ends_with(".scales")
            || name.ends_with(".zero_points")
            || tensors[..i].iter().any(|&(other, _)| other == name);
        if taken {
            return Err(Error::new(
                ErrorKind::Config,
                format!(
                    "the name {name:?} is empty, reserved, broken or used twice; choose another"
                ),
            ));
        }
        descriptions += &format!("\n{} {name}", describe(tensor));
        let (dtype, shape) = match tensor.format {
            Format::Int8(_) | Format::Int8PerChannel { .. } => (Dtype::I8, tensor.shape.clone()),
            Format::Int4 { .. } => {
                let row = tensor.shape[tensor.shape.len() - 1].div_ceil(2);
                (Dtype::U8, vec![tensor.data.len() / row, row])
            }
            Format::F16 => (Dtype::F16, tensor.shape.clone()),
            Format::Bf16 => (Dtype::BF16, tensor.shape.clone()),
        };
        parts.push((name.to_string(), dtype, shape, tensor.data.to_vec()));
        if !tensor.scales.is_empty() {
            let bytes = tensor.scales.iter().flat_map(|scale| scale.to_le_bytes()).collect();
            let shape = vec![tensor.scales.len()];
            parts.push((format!("{name}.scales"), Dtype::F32, shape, bytes));
        }
        if !tensor.zero_points.is_empty() {
            let bytes = tensor.zero_points.iter().map(|&zero| zero as u8).collect();
            let shape = vec![tensor.zero_points.len()];
            parts.push((format!("{name}.zero_points"), Dtype::I8, shape, bytes));
        }
    }
    let views = parts
        .iter()
        .map(|(name, dtype, shape, data)| {
            let view = TensorView::new(*dtype, shape.clone(), data).map_err(foreign)?;
            Ok((name.as_str(), view))
        })
        .collect::<Result<Vec<_>, Error>>()?;
    let metadata = HashMap::from([(KEY.to_string(), descriptions)]);
    safetensors::serialize(views, Some(metadata)).map_err(foreign)
}

/// Reads every quantised tensor of a file that [`to_safetensors`] wrote, in the order in which they
/// were given. Other tensors in it are passed over.
///
/// # Errors
/// [`ErrorKind::Format`] for bytes that are no safetensors file, another version, and descriptions
/// that do not fit the data.
pub fn from_safetensors(bytes: &[u8]) -> Result<Vec<(String, QuantizedTensor)>, Error> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(foreign)?;
    let file = SafeTensors::deserialize(bytes).map_err(foreign)?;
    let described = header.metadata().as_ref().and_then(|metadata| metadata.get(KEY));
    let Some(described) = described else {
        return Err(wrong(format!("no key {KEY:?} in the metadata")));
    };
    let mut lines = described.split('\n');
    match lines.next() {
        Some(VERSION) => {}
        other => return Err(wrong(format!("{:?}; this reads {VERSION:?}", other.unwrap_or("")))),
    }
    lines
        .map(|line| {
            let (format, shape, name) =
                parse(line).ok_or_else(|| wrong(format!("a tensor is described as {line:?}")))?;
            Ok((name.to_string(), read(&file, name, format, &shape)?))
        })
        .collect()
}

fn read(
    file: &SafeTensors,
    name: &str,
    format: Format,
    shape: &[usize],
) -> Result<QuantizedTensor, Error> {
    let mut tensor = QuantizedTensor::empty(shape, format)?;
    let part = |part: &str, dtype: Dtype, len: usize| {
        let view = file.tensor(part).map_err(foreign)?;
        if view.dtype() != dtype || view.shape().iter().product::<usize>() != len {
            return Err(wrong(format!(
                "{part:?} is {:?} {:?}, expected {len} of {dtype:?}",
                view.dtype(),
                view.shape()
            )));
        }
        Ok(view.data().to_vec())
    };
    let (dtype, width) = match format {
        Format::Int8(_) | Format::Int8PerChannel { .. } => (Dtype::I8, 1),
        Format::Int4 { .. } => (Dtype::U8, 1),
        Format::F16 => (Dtype::F16, 2),
        Format::Bf16 => (Dtype::BF16, 2),
    };
    tensor.data = AVec::from_slice(64, &part(name, dtype, tensor.data.len() / width)?);
    let groups = tensor.groups();
    if groups > 0 {
        let bytes = part(&format!("{name}.scales"), Dtype::F32, groups)?;
        tensor.scales = bytes.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
        if let Some(&bad) = tensor.scales.iter().find(|&&scale| Affine::new(scale, 0).is_err()) {
            return Err(wrong(format!("tensor {name:?} has the scale {bad}")));
        }
    }
    let zeros = format!("{name}.zero_points");
    let is_int4 = matches!(format, Format::Int4 { .. });
    if is_int4 || (groups > 0 && file.tensor(&zeros).is_ok()) {
        let bytes = part(&zeros, Dtype::I8, groups)?;
        tensor.zero_points = bytes.into_iter().map(|zero| zero as i8).collect();
        if is_int4 && !tensor.zero_points.iter().all(|zero| (0..16).contains(zero)) {
            return Err(wrong(format!("tensor {name:?} has a 4-bit zero outside 0 to 15")));
        }
    }
    Ok(tensor)
}

fn describe(tensor: &QuantizedTensor) -> String {
    let scheme = |scheme| match scheme {
        Scheme::Symmetric => "symmetric",
        Scheme::Asymmetric => "asymmetric",
    };
    let format = match tensor.format {
        Format::Int8(s) => format!("int8-{}", scheme(s)),
        Format::Int8PerChannel { scheme: s, axis } => format!("int8-{} axis={axis}", scheme(s)),
        Format::Int4 { scheme: s, group } => {
            format!("int4-{} group={}", scheme(s), group.size())
        }
        Format::F16 => "f16".to_string(),
        Format::Bf16 => "bf16".to_string(),
    };
    let shape: Vec<String> = tensor.shape.iter().map(usize::to_string).collect();
    format!("{format} shape={}", shape.join("x"))
}

fn parse(line: &str) -> Option<(Format, Vec<usize>, &str)> {
    let (format, rest) = line.split_once(" shape=")?;
    let (shape, name) = rest.split_once(' ')?;
    let shape = shape.split('x').map(|n| n.parse().ok()).collect::<Option<Vec<usize>>>()?;
    let (kind, setting) = format.split_once(' ').unwrap_or((format, ""));
    let scheme = match kind.split_once('-').map_or("", |(_, scheme)| scheme) {
        "symmetric" => Some(Scheme::Symmetric),
        "asymmetric" => Some(Scheme::Asymmetric),
        _ => None,
    };
    let number = |key: &str| setting.strip_prefix(key)?.parse::<usize>().ok();
    let format = match kind.split('-').next()? {
        "int8" if setting.is_empty() => Format::Int8(scheme?),
        "int8" => Format::Int8PerChannel { scheme: scheme?, axis: number("axis=")? },
        "int4" => Format::Int4 { scheme: scheme?, group: Group::of_size(number("group=")?)? },
        "f16" => Format::F16,
        "bf16" => Format::Bf16,
        _ => return None,
    };
    Some((format, shape, name))
}

fn wrong(what: String) -> Error {
    Error::new(ErrorKind::Format, what)
}

fn foreign(error: safetensors::SafeTensorError) -> Error {
    wrong(format!("no valid safetensors file: {error}"))
}
