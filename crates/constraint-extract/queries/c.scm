; Items.
(function_definition) @function
(function_definition declarator: (function_declarator parameters: (parameter_list (parameter_declaration) @parameter)))
(struct_specifier name: (_) body: (_)) @struct
(enum_specifier name: (_) body: (_)) @enum
(enumerator) @variant
(field_declaration_list (field_declaration) @field)
(preproc_include path: (_) @import)
(call_expression function: (identifier) @assert.name arguments: (argument_list . (_) @assert)
  (#eq? @assert.name "assert"))
(comment) @comment

; What they are called and made of.
(function_definition declarator: (function_declarator declarator: (identifier) @name))
(function_definition type: (_) @returns)
(parameter_declaration declarator: (identifier) @name)
(parameter_declaration type: (_) @type)
(struct_specifier name: (_) @name)
(enum_specifier name: (_) @name)
(enumerator name: (_) @name)
(enumerator value: (_) @value)
(field_declaration declarator: (field_identifier) @name)
(field_declaration type: (_) @type)
