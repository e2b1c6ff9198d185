; Items.
(function_definition) @function
(parameter_list) @parameters
(parameter_declaration) @parameter
(struct_specifier name: (_) body: (_)) @struct
(type_definition type: (struct_specifier !name body: (_))) @struct
(union_specifier) @scope
(enum_specifier name: (_) body: (_)) @enum
(type_definition type: (enum_specifier !name body: (_))) @enum
(enumerator) @variant
(field_declaration declarator: (_)) @field
(preproc_include path: (_) @import)
(call_expression function: (identifier) @assert.name arguments: (argument_list . (_) @assert)
  (#eq? @assert.name "assert"))
(comment) @comment

; What they are called and made of.
(function_definition declarator: (_) @declarator)
(function_definition type: (_) @returns)
(function_definition (storage_class_specifier) @visibility (#eq? @visibility "static"))
(parameter_declaration declarator: (_) @declarator)
(parameter_declaration type: (_) @type)
(struct_specifier name: (_) @name body: (_))
(type_definition type: (struct_specifier !name) declarator: (type_identifier) @name)
(union_specifier name: (_) @name body: (_))
(enum_specifier name: (_) @name body: (_))
(type_definition type: (enum_specifier !name) declarator: (type_identifier) @name)
(enumerator name: (_) @name)
(enumerator value: (_) @value)
(field_declaration declarator: (_) @declarator)
(field_declaration type: (_) @type)
