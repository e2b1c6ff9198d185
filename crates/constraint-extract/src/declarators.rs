//! C's declarators: a name stands inside of what makes its type, as in `char *names[4]`.

use tree_sitter::Node;

/// What a declarator declares.
pub(crate) struct Declared<'t> {
    /// The name; parameters may have none.
    pub(crate) name: Option<Node<'t>>,
    /// Whether it is a function, and not a pointer to one.
    pub(crate) is_function: bool,
    declarator: Node<'t>,
    /// What the rest of the declarator is about: the name, or a function with its parameters.
    core: Option<Node<'t>>,
}

impl<'t> Declared<'t> {
    /// What this declarator declares. O(depth).
    pub(crate) fn by(declarator: Node<'t>) -> Self {
        let mut function = None;
        let mut node = declarator;
        loop {
            match node.kind() {
                "identifier" | "field_identifier" | "type_identifier" | "qualified_identifier" => {
                    let (name, core) = (Some(node), Some(function.unwrap_or(node)));
                    return Declared { name, is_function: function.is_some(), declarator, core };
                }
                "function_declarator" => function = Some(node),
                // `int (*f)(int)` is a pointer, and `int (*f(int))(int)` a function again.
                "pointer_declarator" | "reference_declarator" | "array_declarator" => {
                    function = None;
                }
                _ => {}
            }
            let last = node.named_child_count().checked_sub(1);
            let inner = node.child_by_field_name("declarator").or_else(|| {
                node.named_child(last? as u32).filter(|_| node.kind().ends_with("declarator"))
            });
            match inner {
                Some(inner) => node = inner,
                None => return Declared { name: None, is_function: false, declarator, core: None },
            }
        }
    }

    /// The type of what is declared, or that of a function's result: what stands before the
    /// declarator, and the declarator without its core.
    pub(crate) fn type_text(&self, before: &str, text: &str) -> String {
        let around = self.declarator.byte_range();
        let core = self.core.map_or(around.end..around.end, |core| core.byte_range());
        format!("{before} {}{}", &text[around.start..core.start], &text[core.end..around.end])
    }
}
