; Items.
(function_declaration) @function
(method_declaration) @function
(method_declaration receiver: (parameter_list) @receiver)
(function_declaration parameters: (parameter_list (parameter_declaration) @parameter))
(method_declaration parameters: (parameter_list (parameter_declaration) @parameter))
(type_declaration (type_spec type: (struct_type)) @struct)
(field_declaration_list (field_declaration) @field)
(import_spec path: (interpreted_string_literal (interpreted_string_literal_content) @import))
(call_expression function: (identifier) @panic.name
  arguments: (argument_list (interpreted_string_literal (interpreted_string_literal_content) @hole.name))
  (#eq? @panic.name "panic") (#match? @hole.name "(?i)^(not implemented|todo)")) @hole
(comment) @comment

; What they are called and made of.
(function_declaration name: (_) @name)
(method_declaration name: (_) @name)
(function_declaration result: (_) @returns)
(method_declaration result: (_) @returns)
(parameter_declaration name: (_) @name)
(parameter_declaration type: (_) @type)
(type_spec name: (_) @name)
(field_declaration name: (_) @name)
(field_declaration type: (_) @type)
