; Items.
(class_declaration) @struct
(function_declaration) @function
(method_definition) @function.method
(formal_parameters (identifier) @parameter.bare)
(formal_parameters (assignment_pattern) @parameter)
(class_body (field_definition) @field)
(import_statement source: (string (string_fragment) @import))
(throw_statement (new_expression constructor: (_) @raise))
(call_expression function: (member_expression) @assert.name arguments: (arguments . (_) @assert)
  (#eq? @assert.name "console.assert"))
(comment) @comment

; What they are called and made of.
(class_declaration name: (_) @name)
(function_declaration name: (_) @name)
(method_definition name: (_) @name)
(assignment_pattern left: (identifier) @name)
(assignment_pattern right: (_) @optional)
(field_definition property: (_) @name)
(export_statement declaration: (_) @visibility)
