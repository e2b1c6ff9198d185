; Items.
(class_declaration) @struct
(interface_declaration) @struct
(enum_declaration) @enum
(function_declaration) @function
(function_signature) @function
(method_definition) @function.method
(formal_parameters (required_parameter) @parameter)
(formal_parameters (optional_parameter) @parameter.optional)
(interface_body (property_signature) @field)
(class_body (public_field_definition) @field)
(enum_body name: (property_identifier) @variant.bare)
(enum_body (enum_assignment) @variant)
(type_alias_declaration) @alias
(import_statement source: (string (string_fragment) @import))
(throw_statement (new_expression constructor: (_) @raise))
(call_expression function: (member_expression) @assert.name arguments: (arguments . (_) @assert)
  (#eq? @assert.name "console.assert"))
(comment) @comment
(throw_statement (new_expression arguments: (arguments (string (string_fragment) @hole.name)))
  (#match? @hole.name "(?i)^(not implemented|todo)")) @hole

; What they are called and made of.
(class_declaration name: (_) @name)
(interface_declaration name: (_) @name)
(enum_declaration name: (_) @name)
(enum_assignment name: (_) @name)
(enum_assignment value: (_) @value)
(function_declaration name: (_) @name)
(function_signature name: (_) @name)
(method_definition name: (_) @name)
(function_declaration return_type: (type_annotation (_) @returns))
(function_signature return_type: (type_annotation (_) @returns))
(method_definition return_type: (type_annotation (_) @returns))
(required_parameter pattern: (identifier) @name)
(required_parameter type: (type_annotation (_) @type))
(required_parameter value: (_) @optional)
(optional_parameter pattern: (identifier) @name)
(optional_parameter type: (type_annotation (_) @type))
(property_signature name: (_) @name)
(property_signature type: (type_annotation (_) @type))
(property_signature "?" @optional)
(public_field_definition name: (_) @name)
(public_field_definition type: (type_annotation (_) @type))
(public_field_definition "?" @optional)
(type_alias_declaration name: (_) @name)
(type_alias_declaration value: (_) @type)
(export_statement declaration: (_) @visibility)
(method_definition (accessibility_modifier) @visibility)
