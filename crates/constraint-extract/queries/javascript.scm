; Items.
(class_declaration) @struct
(function_declaration) @function
(generator_function_declaration) @function
(variable_declarator name: (identifier) value: (arrow_function)) @function
(variable_declarator name: (identifier) value: (function_expression)) @function
(method_definition) @function.method
(formal_parameters) @parameters
(arrow_function parameter: (identifier)) @parameters
(arrow_function parameter: (identifier) @parameter.bare)
(formal_parameters (identifier) @parameter.bare)
(formal_parameters (assignment_pattern) @parameter)
(formal_parameters (object_pattern) @parameter)
(formal_parameters (array_pattern) @parameter)
(class_body (field_definition) @field)
(import_statement source: (string (string_fragment) @import))
(export_statement source: (string (string_fragment) @import))
(call_expression function: (identifier) @import.name arguments: (arguments . (string (string_fragment) @import) .)
  (#eq? @import.name "require"))
(throw_statement (new_expression constructor: (_) @raise))
(call_expression function: (member_expression) @assert.name arguments: (arguments . (_) @assert)
  (#eq? @assert.name "console.assert"))
(comment) @comment
(throw_statement (new_expression arguments: (arguments (string (string_fragment) @hole.name)))
  (#match? @hole.name "(?i)^(not implemented|todo)")) @hole

; What they are called and made of.
(class_declaration name: (_) @name)
(function_declaration name: (_) @name)
(generator_function_declaration name: (_) @name)
(variable_declarator name: (identifier) @name value: (arrow_function))
(variable_declarator name: (identifier) @name value: (function_expression))
(method_definition name: (_) @name)
(method_definition "static" @static)
(field_definition "static" @static)
(formal_parameters (assignment_pattern left: (identifier) @name))
(formal_parameters (assignment_pattern right: (_) @optional))
(field_definition property: (_) @name)
(export_statement declaration: (_) @visibility)
(export_statement declaration: (lexical_declaration (variable_declarator) @visibility))
