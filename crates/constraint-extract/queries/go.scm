; Items.
(function_declaration) @function
(method_declaration) @function
(method_declaration receiver: (parameter_list) @receiver)
(function_declaration parameters: (parameter_list) @parameters)
(method_declaration parameters: (parameter_list) @parameters)
(func_literal parameters: (parameter_list) @parameters)
(function_type parameters: (parameter_list) @parameters)
(parameter_declaration) @parameter
(type_spec type: (struct_type)) @struct
(field_declaration) @field
(import_spec path: (interpreted_string_literal (interpreted_string_literal_content) @import))
(call_expression function: (identifier) @panic.name
  arguments: (argument_list (interpreted_string_literal (interpreted_string_literal_content) @hole.name))
  (#eq? @panic.name "panic") (#match? @hole.name "(?i)^(not implemented|todo)")) @hole
(comment) @comment

; What they are called and made of.
(function_declaration name: (_) @name)
(method_declaration name: (_) @name)
(method_declaration receiver: (parameter_list (parameter_declaration type: (_) @owner)))
(function_declaration result: (_) @returns)
(method_declaration result: (_) @returns)
(parameter_declaration name: (_) @names)
(parameter_declaration type: (_) @type)
(type_spec name: (_) @name type: (struct_type))
(field_declaration name: (_) @names)
(field_declaration type: (_) @type)
