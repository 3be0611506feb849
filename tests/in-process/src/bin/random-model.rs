//! Writes a model of random weights, of the size of a small language model: enough to time inference with llama.cpp, and
//! without a word of sense.
//!
//! The file is GGUF, version 3: a header, keys and values, the tensors' names and places, and the tensors. Matrices are
//! of the type Q4_0: blocks of 32 weights, a scale of 16 bits and 4 bits for each.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::PathBuf,
};

use anyhow::{Context as _, Result};
use clap::Parser;

/// Write a model of random weights.
#[derive(Debug, Parser)]
struct Arguments {
    /// The file to write.
    file: PathBuf,
    /// Width of the model.
    #[arg(long, default_value_t = 2048)]
    embedding: u32,
    /// Layers.
    #[arg(long, default_value_t = 22)]
    layers: u32,
    /// Heads of attention.
    #[arg(long, default_value_t = 32)]
    heads: u32,
    /// Heads of keys and values.
    #[arg(long, default_value_t = 4)]
    kv_heads: u32,
    /// Width of the feed-forward part.
    #[arg(long, default_value_t = 5632)]
    feed_forward: u32,
    /// Words.
    #[arg(long, default_value_t = 32000)]
    vocabulary: u32,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let path = &arguments.file;
    let file = File::create(path).with_context(|| format!("making {}", path.display()))?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    write_model(&arguments, &mut out).and_then(|()| out.flush()).with_context(|| format!("writing {}", path.display()))
}

/// What tensors are aligned to.
const ALIGNMENT: u64 = 32;
/// The context that the model says it was trained for.
const CONTEXT: u32 = 4096;
/// Words that a model has for single bytes, after the first three.
const BYTES: u32 = 256;

/// Numbers that GGUF gives to types of values.
mod value {
    pub(crate) const U32: u32 = 4;
    pub(crate) const I32: u32 = 5;
    pub(crate) const F32: u32 = 6;
    pub(crate) const STRING: u32 = 8;
    pub(crate) const ARRAY: u32 = 9;
}

/// Numbers that ggml gives to types of tensors, and to a file of which most are Q4_0.
mod tensor {
    pub(crate) const F32: u32 = 0;
    pub(crate) const Q4_0: u32 = 2;
    pub(crate) const MOSTLY_Q4_0: u32 = 2;
}

/// One tensor: random, or ones.
struct Tensor {
    name: String,
    columns: u64,
    /// None for a vector of ones.
    rows: Option<u64>,
}

impl Tensor {
    fn bytes(&self) -> u64 {
        match self.rows {
            Some(rows) => rows * self.columns / 32 * 18,
            None => self.columns * 4,
        }
    }
}

fn tensors(shape: &Arguments) -> Vec<Tensor> {
    let [width, inner, words] = [shape.embedding, shape.feed_forward, shape.vocabulary].map(u64::from);
    let kv = width / u64::from(shape.heads) * u64::from(shape.kv_heads);
    let matrix = |name: &str, rows, columns| Tensor { name: name.to_owned(), columns, rows: Some(rows) };
    let ones = |name: &str| Tensor { name: name.to_owned(), columns: width, rows: None };
    let mut all = vec![
        matrix("token_embd.weight", words, width),
        ones("output_norm.weight"),
        matrix("output.weight", words, width),
    ];
    for layer in 0..shape.layers {
        let name = |part: &str| format!("blk.{layer}.{part}.weight");
        all.extend(["attn_norm", "ffn_norm"].map(|part| ones(&name(part))));
        let matrices = [
            ("attn_q", width, width),
            ("attn_k", kv, width),
            ("attn_v", kv, width),
            ("attn_output", width, width),
            ("ffn_gate", inner, width),
            ("ffn_up", inner, width),
            ("ffn_down", width, inner),
        ];
        all.extend(matrices.map(|(part, rows, columns)| matrix(&name(part), rows, columns)));
    }
    all
}

fn write_model(shape: &Arguments, out: &mut impl Write) -> io::Result<()> {
    let tensors = tensors(shape);
    let header = header(shape, &tensors);
    out.write_all(&header)?;
    pad(out, header.len() as u64)?;
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for tensor in &tensors {
        match tensor.rows {
            None => (0..tensor.columns).try_for_each(|_| out.write_all(&1_f32.to_le_bytes()))?,
            Some(_) => (0..tensor.bytes() / 18).try_for_each(|_| out.write_all(&random.block()))?,
        }
        pad(out, tensor.bytes())?;
    }
    Ok(())
}

/// Writes as many zeros as come after so many bytes.
fn pad(out: &mut impl Write, written: u64) -> io::Result<()> {
    let zeros = written.next_multiple_of(ALIGNMENT) - written;
    (0..zeros).try_for_each(|_| out.write_all(&[0]))
}

/// All before the tensors' bytes.
fn header(shape: &Arguments, tensors: &[Tensor]) -> Vec<u8> {
    let mut keys = Keys::default();
    keys.string("general.architecture", "llama");
    keys.number("general.file_type", tensor::MOSTLY_Q4_0);
    keys.number("llama.context_length", CONTEXT);
    keys.number("llama.embedding_length", shape.embedding);
    keys.number("llama.block_count", shape.layers);
    keys.number("llama.feed_forward_length", shape.feed_forward);
    keys.number("llama.attention.head_count", shape.heads);
    keys.number("llama.attention.head_count_kv", shape.kv_heads);
    keys.number("llama.rope.dimension_count", shape.embedding / shape.heads);
    keys.number("llama.vocab_size", shape.vocabulary);
    keys.key("llama.attention.layer_norm_rms_epsilon", value::F32).extend(1e-5_f32.to_le_bytes());
    keys.string("tokenizer.ggml.model", "llama");
    // A word for what is unknown, for the beginning and the end, for each byte, and as many more as there should be.
    let word = |n: u32| match n {
        0 => "<unk>".to_owned(),
        1 => "<s>".to_owned(),
        2 => "</s>".to_owned(),
        n if n < 3 + BYTES => format!("<0x{:02X}>", n - 3),
        n => format!("t{n}"),
    };
    let kind = |n: u32| match n {
        0 => 2,
        1 | 2 => 3,
        n if n < 3 + BYTES => 6,
        _ => 1_i32,
    };
    let words = shape.vocabulary;
    keys.array("tokenizer.ggml.tokens", value::STRING, words, |n, bytes| put_string(bytes, &word(n)));
    keys.array("tokenizer.ggml.scores", value::F32, words, |n, bytes| bytes.extend((-(n as f32)).to_le_bytes()));
    keys.array("tokenizer.ggml.token_type", value::I32, words, |n, bytes| bytes.extend(kind(n).to_le_bytes()));
    keys.number("tokenizer.ggml.bos_token_id", 1);
    keys.number("tokenizer.ggml.eos_token_id", 2);

    let mut bytes = b"GGUF".to_vec();
    bytes.extend(3_u32.to_le_bytes());
    bytes.extend((tensors.len() as u64).to_le_bytes());
    bytes.extend(keys.count.to_le_bytes());
    bytes.extend(keys.bytes);
    let mut offset = 0_u64;
    for tensor in tensors {
        put_string(&mut bytes, &tensor.name);
        let dimensions: Vec<u64> = [tensor.columns].into_iter().chain(tensor.rows).collect();
        bytes.extend((dimensions.len() as u32).to_le_bytes());
        dimensions.iter().for_each(|dimension| bytes.extend(dimension.to_le_bytes()));
        let kind = if tensor.rows.is_some() { tensor::Q4_0 } else { tensor::F32 };
        bytes.extend(kind.to_le_bytes());
        bytes.extend(offset.to_le_bytes());
        offset += tensor.bytes().next_multiple_of(ALIGNMENT);
    }
    bytes
}

/// Keys and values.
#[derive(Default)]
struct Keys {
    bytes: Vec<u8>,
    count: u64,
}

impl Keys {
    fn key(&mut self, name: &str, kind: u32) -> &mut Vec<u8> {
        self.count += 1;
        put_string(&mut self.bytes, name);
        self.bytes.extend(kind.to_le_bytes());
        &mut self.bytes
    }

    fn string(&mut self, name: &str, value: &str) {
        put_string(self.key(name, value::STRING), value);
    }

    fn number(&mut self, name: &str, value: u32) {
        self.key(name, value::U32).extend(value.to_le_bytes());
    }

    fn array(&mut self, name: &str, kind: u32, count: u32, put: impl Fn(u32, &mut Vec<u8>)) {
        let bytes = self.key(name, value::ARRAY);
        bytes.extend(kind.to_le_bytes());
        bytes.extend(u64::from(count).to_le_bytes());
        (0..count).for_each(|n| put(n, bytes));
    }
}

fn put_string(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}

/// The same numbers each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A block of Q4_0: a scale of 0.0025, as a number of 16 bits, and 32 weights.
    fn block(&mut self) -> [u8; 18] {
        let mut block = [0; 18];
        block[..2].copy_from_slice(&0x191f_u16.to_le_bytes());
        block[2..10].copy_from_slice(&self.next().to_le_bytes());
        block[10..].copy_from_slice(&self.next().to_le_bytes());
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_model_is_as_long_as_its_parts() {
        let shape = Arguments::parse_from(
            "random-model x --embedding 64 --layers 1 --heads 2 --kv-heads 1 --feed-forward 96 --vocabulary 320"
                .split(' '),
        );
        let mut bytes = Vec::new();
        write_model(&shape, &mut bytes).unwrap();
        assert_eq!(bytes[..8], *b"GGUF\x03\0\0\0");
        let tensors = tensors(&shape);
        assert_eq!(bytes[8..16], (tensors.len() as u64).to_le_bytes());
        assert_eq!(tensors.len(), 3 + 9);
        // 320 words of 64 weights, twice; four matrices of attention, of which two are half as large; three of 64 by 96.
        let weights = 2 * 320 * 64 + 3 * 64 * 64 + 3 * 64 * 96;
        let ones = 3 * 64 * 4;
        let header = header(&shape, &tensors).len().next_multiple_of(32);
        assert_eq!(bytes.len(), header + weights / 32 * 18 + ones);
        // The scale of the first block, and the first vector's last number.
        assert_eq!(bytes[header..header + 2], 0x191f_u16.to_le_bytes());
        let norm = header + 320 * 64 / 32 * 18;
        assert_eq!(bytes[norm + 252..norm + 256], 1_f32.to_le_bytes());
    }
}
