; What C has is in c.scm, which goes before this.
(class_specifier name: (_) body: (_)) @struct
(class_specifier name: (_) @name)
(namespace_definition) @scope
(namespace_definition name: (_) @name)
(throw_statement (call_expression function: (_) @raise))
