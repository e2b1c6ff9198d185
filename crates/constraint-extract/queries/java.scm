; Items.
(class_declaration) @struct
(record_declaration) @struct
(interface_declaration) @scope
(enum_declaration) @enum
(enum_constant) @variant
(method_declaration) @function.method
(method_declaration parameters: (formal_parameters (formal_parameter) @parameter))
(record_declaration parameters: (formal_parameters (formal_parameter) @field))
(class_body (field_declaration) @field)
(import_declaration) @import
(assert_statement . (_) @assert)
(throws (_) @raise)
(line_comment) @comment
(block_comment) @comment
(throw_statement (object_creation_expression arguments: (argument_list (string_literal (string_fragment) @hole.name)))
  (#match? @hole.name "(?i)^(not implemented|todo)")) @hole

; What they are called and made of.
(class_declaration name: (_) @name)
(record_declaration name: (_) @name)
(interface_declaration name: (_) @name)
(enum_declaration name: (_) @name)
(enum_constant name: (_) @name)
(method_declaration name: (_) @name)
(method_declaration type: (_) @returns)
(method_declaration (modifiers "static" @static))
(formal_parameter name: (_) @name)
(formal_parameter type: (_) @type)
(field_declaration declarator: (variable_declarator name: (_) @names))
(field_declaration type: (_) @type)
(field_declaration (modifiers "static" @static))
(class_declaration (modifiers) @visibility)
(record_declaration (modifiers) @visibility)
(enum_declaration (modifiers) @visibility)
(method_declaration (modifiers) @visibility)
