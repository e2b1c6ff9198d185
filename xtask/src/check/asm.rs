//! `check asm`: every kernel of the release build is what it promises, read from its instructions.
//!
//! A helper that the compiler did not inline falls out of the feature context and is silently slow;
//! it shows as a call, or as a jump to another function. What a kernel may call are block moves of
//! the C library, which the linker reaches through its table of shared functions: directly, or by a
//! register that was loaded from there. An entry of that table without a name is a function of the
//! program, such as a panic. The rules for each table of kernels are data, in the file named below.

use std::path::Path;

use toml::Table;

use crate::Result;
use crate::bench;
use crate::process::{need, output, tool};
use crate::workspace::root;

const RULES: &str = "crates/kernels-simd/tests/assembly.toml";
/// What a kernel's symbol starts with; its family, its table and its own name follow.
const PREFIX: &str = "edgekit_kernels_simd::table::";

/// Reads the release build of the benches, which holds every table of this machine.
pub(crate) fn run() -> Result {
    need("objdump", "apt-get install binutils")?;
    let ours: &[&str] = match std::env::consts::ARCH {
        "x86_64" => &["scalar", "sse42", "avx"],
        "aarch64" => &["scalar", "neon"],
        other => return Err(format!("there are no rules for {other}")),
    };
    read("objdump", &bench::build(false)?, ours)
}

/// Disassembles `program` and checks the tables whose names start with one of `ours`.
pub(super) fn read(objdump: &str, program: &Path, ours: &[&str]) -> Result {
    let rules = std::fs::read_to_string(root().join(RULES)).map_err(|e| format!("{RULES}: {e}"))?;
    let rules: Table = rules.parse().map_err(|e| format!("{RULES}: {e}"))?;
    let flags = ["-d", "-C", "--no-show-raw-insn", "--no-addresses"];
    let text = output(tool(objdump, flags).arg(program))?;
    let kernels = kernels(&text);
    let defects = check(&rules, &kernels, ours);
    defects.iter().for_each(|defect| eprintln!("{defect}"));
    match defects.len() {
        0 => {
            println!("asm: {} kernels, no call to a helper, the promised registers", kernels.len());
            Ok(())
        }
        n => Err(format!("{n} kernels are not what they promise")),
    }
}

/// One function of one table.
struct Kernel<'a> {
    symbol: &'a str,
    family: &'a str,
    table: &'a str,
    name: &'a str,
    /// Mnemonic and operands.
    body: Vec<(&'a str, &'a str)>,
}

fn kernels(disassembly: &str) -> Vec<Kernel<'_>> {
    let mut kernels: Vec<Kernel<'_>> = Vec::new();
    let mut inside = false;
    for line in disassembly.lines() {
        if let Some(symbol) = symbol(line) {
            let parts: Vec<&str> =
                symbol.strip_prefix(PREFIX).unwrap_or_default().split("::").collect();
            // A table's own kernels; closures within them and the methods of `Kernels` are not.
            inside = parts.len() == 3 && parts.iter().all(|part| is_plain(part));
            if inside {
                let body = Vec::new();
                let [family, table, name] = [parts[0], parts[1], parts[2]];
                kernels.push(Kernel { symbol, family, table, name, body });
            }
        } else if let (true, Some(kernel)) = (inside, kernels.last_mut()) {
            let line = line.trim();
            let (mnemonic, operands) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            if !mnemonic.is_empty() {
                kernel.body.push((mnemonic, operands.trim()));
            }
        }
    }
    kernels
}

fn symbol(line: &str) -> Option<&str> {
    line.strip_suffix(">:")?.split_once('<').map(|(_, name)| name)
}

fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn check(rules: &Table, kernels: &[Kernel<'_>], ours: &[&str]) -> Vec<String> {
    let mut defects = Vec::new();
    let Some(tables) = rules.get("table").and_then(|t| t.as_table()) else {
        return vec![format!("{RULES} has no [table.…]")];
    };
    let allowed = strings(rules.get("allowed_calls"));
    let of = |table: &str| kernels.iter().filter(|k| k.table == table).count();
    let most = tables.keys().map(|table| of(table)).max().unwrap_or(0);
    for (table, rule) in
        tables.iter().filter(|(table, _)| ours.iter().any(|o| table.starts_with(o)))
    {
        // A set that adds an instruction to another's has only the kernels that gain from it.
        let partial = tables.keys().any(|base| base != table && table.starts_with(base.as_str()));
        let found = of(table);
        if found == 0 || !partial && found != most {
            defects.push(format!("{table}: {found} kernels in the program, {most} in others"));
        }
        for kernel in kernels.iter().filter(|kernel| kernel.table == table) {
            let what = breaks(&allowed, rule, kernel);
            defects.extend(what.map(|what| format!("{table}::{}: {what}", kernel.name)));
        }
        for (of, wanted) in rule.get("needs").and_then(|n| n.as_table()).into_iter().flatten() {
            let wanted = strings(Some(wanted));
            let mut concerned =
                kernels.iter().filter(|k| k.table == table && is_of(k, of)).peekable();
            if concerned.peek().is_none() {
                defects.push(format!("{table}: {RULES} has a rule for {of}, which has no kernel"));
            }
            for kernel in concerned {
                let starts = |mnemonic: &str| wanted.iter().any(|w| mnemonic.starts_with(w));
                if !kernel.body.iter().any(|(mnemonic, _)| starts(mnemonic)) {
                    let wanted = wanted.join(" and no ");
                    defects.push(format!("{table}::{}: has no {wanted}", kernel.name));
                }
            }
        }
    }
    let unknown = |k: &&Kernel<'_>| !tables.contains_key(k.table);
    for kernel in kernels.iter().filter(unknown) {
        defects.push(format!("{}::{}: {RULES} has no such table", kernel.table, kernel.name));
    }
    defects
}

/// Whether `of` names the kernel's family, or it itself as `FAMILY::KERNEL`.
fn is_of(kernel: &Kernel<'_>, of: &str) -> bool {
    of.split_once("::").map_or(of == kernel.family, |of| of == (kernel.family, kernel.name))
}

fn strings(list: Option<&toml::Value>) -> Vec<&str> {
    let list = list.and_then(|list| list.as_array()).into_iter().flatten();
    list.filter_map(|item| item.as_str()).collect()
}

/// The rule that a kernel breaks, if it breaks one.
fn breaks(allowed: &[&str], rule: &toml::Value, kernel: &Kernel<'_>) -> Option<String> {
    let calls = strings(rule.get("call"));
    for (at, (mnemonic, operands)) in kernel.body.iter().enumerate() {
        let may_call = || may_call(allowed, operands, &kernel.body[..at]);
        if calls.contains(mnemonic) && !may_call() {
            return Some(format!("`{mnemonic} {operands}`: a helper that is not inlined"));
        }
        // Only tables that may not call may not leave by a jump either.
        let leaves = || leaves(mnemonic, operands, kernel, &kernel.body[..at]);
        if !calls.is_empty() && leaves() && !may_call() {
            return Some(format!("`{mnemonic} {operands}`: leaves by a jump"));
        }
    }
    for wanted in strings(rule.get("contains")) {
        if !kernel.body.iter().any(|(mnemonic, _)| *mnemonic == wanted) {
            return Some(format!("has no {wanted}"));
        }
    }
    let register = rule.get("register").and_then(|r| r.as_str())?;
    if strings(rule.get("exempt")).contains(&kernel.name) {
        return None;
    }
    let register = register.trim_start_matches('%');
    let uses = kernel.body.iter().any(|(_, operands)| uses(operands, register));
    (!uses).then(|| format!("uses no {register} register"))
}

/// Whether a call's target is a block move, by its name or by the table of shared functions.
fn may_call(allowed: &[&str], operands: &str, before: &[(&str, &str)]) -> bool {
    let named = |operands: &str| {
        operands.split_once('<').is_some_and(|(_, name)| {
            allowed.contains(&name.split(['>', '@', '+']).next().unwrap_or_default())
        })
    };
    let Some(place) = operands.strip_prefix('*') else { return named(operands) };
    if named(place) {
        return true;
    }
    let loads = |(mnemonic, from): &&(&str, &str)| {
        let to = from.split_once("),").map(|(_, to)| to.split_whitespace().next());
        *mnemonic == "mov" && to == Some(Some(place))
    };
    before.iter().rev().find(loads).is_some_and(|(_, from)| named(from))
}

/// Whether an instruction is a jump, conditional or not, to another function or to wherever a register
/// says, but for one that was added up last: the place that a `match` looked up in its own list.
fn leaves(mnemonic: &str, operands: &str, kernel: &Kernel<'_>, before: &[(&str, &str)]) -> bool {
    let arm = matches!(mnemonic, "b" | "cbz" | "cbnz" | "tbz" | "tbnz" | "br");
    if !arm && !mnemonic.starts_with('j') && !mnemonic.starts_with("b.") {
        return false;
    }
    let Some((_, target)) = operands.split_once('<') else {
        let register = operands.trim_start_matches('*');
        let writes = |(_, operands): &&(&str, &str)| {
            let mut operands = operands.split(',');
            let to = if arm { operands.next() } else { operands.next_back() };
            to == Some(register)
        };
        return before.iter().rev().find(writes).is_none_or(|(last, _)| *last != "add");
    };
    let target = target.trim_end_matches('>').split("+0x").next().unwrap_or_default();
    target != kernel.symbol
}

/// Whether an operand is such a register: `%ymm3`, `v3.4s`.
fn uses(operands: &str, register: &str) -> bool {
    operands.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| {
        word.strip_prefix(register)
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = "
        allowed_calls = [\"memset\"]
        [table.scalar]
        [table.avx2]
        register = \"%ymm\"
        call = [\"call\"]
    ";

    fn said(avx2_body: &str) -> String {
        let text = format!(
            "<{PREFIX}floats::scalar::dot>:\n\tcall <helper>\n\n\
             <{PREFIX}floats::avx2::dot>:\n{avx2_body}\n\n<{PREFIX}Kernels::get>:\n\tcall <x>\n"
        );
        check(&RULE.parse().unwrap(), &kernels(&text), &["scalar", "avx"]).join("\n")
    }

    #[test]
    fn a_good_kernel_passes() {
        let jump = format!("\tjmp    <{PREFIX}floats::avx2::dot+0x20>");
        assert_eq!(said(&format!("\tvmovups (%rdi),%ymm0\n{jump}\n\tret")), "");
    }

    #[test]
    fn block_moves_may_be_called_in_every_way() {
        for call in [
            "\tcall   <memset>",
            "\tcall   <memset@plt>",
            "\tcall   *0x12(%rip)        # <memset@GLIBC_2.2.5>",
            "\tmov    0x12(%rip),%r12        # <memset@GLIBC_2.2.5>\n\tcall   *%r12",
        ] {
            assert_eq!(said(&format!("\tvaddps %ymm0,%ymm1,%ymm2\n{call}")), "", "{call}");
        }
    }

    #[test]
    fn calls_jumps_and_narrow_registers_are_caught() {
        assert!(said("\tcall   <helper>\n\tvaddps %ymm0,%ymm1,%ymm2").contains("not inlined"));
        assert!(said("\tcall   *%r12\n\tvaddps %ymm0,%ymm1,%ymm2").contains("not inlined"));
        let loaded = "\tmov    0x8(%rdi),%r12\n\tcall   *%r12\n\tvaddps %ymm0,%ymm1,%ymm2";
        assert!(said(loaded).contains("not inlined"));
        for call in [
            "\tcall   *0x12(%rip)        # <expf@GLIBC_2.27>",
            "\tmov    0x12(%rip),%r12        # <expf@GLIBC_2.27>\n\tcall   *%r12",
            "\tcall   *0x12(%rip)        # <_DYNAMIC+0x4c0>",
        ] {
            let said = said(&format!("\tvaddps %ymm0,%ymm1,%ymm2\n{call}"));
            assert!(said.contains("not inlined"), "{call}: {said}");
        }
        for jump in ["jmp    <helper>", "jne    <helper+0x20>", "jmp    *%rax", "jmp    *(%rdi)"] {
            let said = said(&format!("\tvaddps %ymm0,%ymm1,%ymm2\n\t{jump}"));
            assert!(said.contains("by a jump"), "{jump}: {said}");
        }
        let listed =
            "\tvaddps %ymm0,%ymm1,%ymm2\n\tadd    %rcx,%rax\n\tmov    (%rsp),%r9\n\tjmp    *%rax";
        assert_eq!(said(listed), "");
        assert!(said("\tvaddps %xmm0,%xmm1,%xmm2").contains("no ymm"));
        let rules = "[table.avx2]\ncontains = [\"vpmaddwd\"]".parse().unwrap();
        let text = format!("<{PREFIX}bytes::avx2::dot>:\n\tvpaddd %ymm0,%ymm1,%ymm2\n");
        assert!(check(&rules, &kernels(&text), &["avx"])[0].contains("no vpmaddwd"));
        let needs = "[table.avx2]\nneeds = { bytes = [\"vpdp\"], \"bytes::l2\" = [\"vpadd\"] }";
        let said = check(&needs.parse().unwrap(), &kernels(&text), &["avx"]);
        assert!(said[0].contains("dot: has no vpdp"), "{said:?}");
        assert!(said[1].contains("rule for bytes::l2, which has no kernel"), "{said:?}");
        let text = format!("<{PREFIX}floats::scalar::dot>:\n\tret\n");
        let rules = RULE.parse().unwrap();
        assert!(check(&rules, &kernels(&text), &["avx"])[0].contains("avx2: 0 kernels"));
        let text = format!("<{PREFIX}floats::avx9::dot>:\n\tret\n");
        assert!(check(&rules, &kernels(&text), &[])[0].contains("no such table"));
    }
}
