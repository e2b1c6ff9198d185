; Items.
(class_declaration) @struct
(abstract_class_declaration) @struct
(interface_declaration) @struct
(internal_module) @scope
(enum_declaration) @enum
(function_declaration) @function
(generator_function_declaration) @function
(function_signature) @function
(variable_declarator name: (identifier) value: (arrow_function)) @function
(variable_declarator name: (identifier) value: (function_expression)) @function
(method_definition) @function.method
(abstract_method_signature) @function.method
(formal_parameters) @parameters
(arrow_function parameter: (identifier)) @parameters
(arrow_function parameter: (identifier) @parameter.bare)
; Neither `this` nor what takes the rest is an argument that has to be given.
(formal_parameters (required_parameter pattern: (identifier)) @parameter)
(formal_parameters (required_parameter pattern: (object_pattern)) @parameter)
(formal_parameters (required_parameter pattern: (array_pattern)) @parameter)
(formal_parameters (optional_parameter) @parameter.optional)
(interface_body (property_signature) @field)
(interface_body (method_signature) @field)
(class_body (public_field_definition) @field)
(enum_body name: (property_identifier) @variant.bare)
(enum_body (enum_assignment) @variant)
(type_alias_declaration) @alias
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
(abstract_class_declaration name: (_) @name)
(interface_declaration name: (_) @name)
(internal_module name: (_) @name)
(enum_declaration name: (_) @name)
(enum_assignment name: (_) @name)
(enum_assignment value: (_) @value)
(function_declaration name: (_) @name)
(generator_function_declaration name: (_) @name)
(function_signature name: (_) @name)
(variable_declarator name: (identifier) @name value: (arrow_function))
(variable_declarator name: (identifier) @name value: (function_expression))
(method_definition name: (_) @name)
(abstract_method_signature name: (_) @name)
(method_definition "static" @static)
(public_field_definition "static" @static)
(function_declaration return_type: (type_annotation (_) @returns))
(generator_function_declaration return_type: (type_annotation (_) @returns))
(function_signature return_type: (type_annotation (_) @returns))
(variable_declarator value: (arrow_function return_type: (type_annotation (_) @returns)))
(variable_declarator value: (function_expression return_type: (type_annotation (_) @returns)))
(method_definition return_type: (type_annotation (_) @returns))
(abstract_method_signature return_type: (type_annotation (_) @returns))
(required_parameter pattern: (identifier) @name)
(required_parameter type: (type_annotation (_) @type))
(required_parameter value: (_) @optional)
(optional_parameter pattern: (identifier) @name)
(optional_parameter type: (type_annotation (_) @type))
(property_signature name: (_) @name)
(property_signature type: (type_annotation (_) @type))
(property_signature "?" @optional)
(interface_body (method_signature name: (_) @name))
; What has no value that could be written: its own text is no type's name.
(interface_body (method_signature) @type)
(interface_body (method_signature "?" @optional))
(public_field_definition name: (_) @name)
(public_field_definition type: (type_annotation (_) @type))
(public_field_definition "?" @optional)
(type_alias_declaration name: (_) @name)
(type_alias_declaration value: (_) @type)
(export_statement declaration: (_) @visibility)
(export_statement declaration: (lexical_declaration (variable_declarator) @visibility))
(method_definition (accessibility_modifier) @visibility)
(abstract_method_signature (accessibility_modifier) @visibility)
