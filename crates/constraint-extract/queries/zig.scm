; Items.
(function_declaration) @function
(function_declaration (parameters (parameter) @parameter))
(variable_declaration (struct_declaration)) @struct
(variable_declaration (enum_declaration)) @enum
(variable_declaration (union_declaration)) @scope
(struct_declaration (container_field) @field)
(enum_declaration (container_field) @variant)
(builtin_function (builtin_identifier) @import.name (arguments (string (string_content) @import))
  (#eq? @import.name "@import"))
(call_expression function: (field_expression) @assert.name . (_) @assert (#eq? @assert.name "std.debug.assert"))
(call_expression function: (identifier) @assert.name . (_) @assert (#eq? @assert.name "assert"))
(builtin_function (builtin_identifier) @panic.name (arguments (string (string_content) @hole.name))
  (#eq? @panic.name "@panic") (#match? @hole.name "(?i)^(not implemented|todo)")) @hole
(comment) @comment

; What they are called and made of.
(function_declaration name: (_) @name)
(function_declaration type: (_) @returns)
(parameter name: (_) @name)
(parameter type: (_) @type)
(variable_declaration . (identifier) @name (struct_declaration))
(variable_declaration . (identifier) @name (enum_declaration))
(variable_declaration . (identifier) @name (union_declaration))
(container_field name: (_) @name)
(container_field type: (_) @type)
(container_field type: (_) "=" @optional)
(function_declaration "pub" @visibility)
(variable_declaration "pub" @visibility)
