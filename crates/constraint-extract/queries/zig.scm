; Items.
(function_declaration) @function
(function_declaration (parameters (parameter) @parameter))
(variable_declaration (struct_declaration)) @struct
(variable_declaration (enum_declaration)) @enum
(struct_declaration (container_field) @field)
(enum_declaration (container_field) @variant)
(comment) @comment

; What they are called and made of.
(function_declaration name: (_) @name)
(function_declaration type: (_) @returns)
(parameter name: (_) @name)
(parameter type: (_) @type)
(variable_declaration . (identifier) @name)
(container_field name: (_) @name)
(container_field type: (_) @type)
(function_declaration "pub" @visibility)
(variable_declaration "pub" @visibility)
