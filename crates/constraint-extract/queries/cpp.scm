; What C has is in c.scm, which goes before this.
(class_specifier name: (_) body: (_)) @struct
(class_specifier name: (_) @name body: (_))
(class_specifier "class" @section name: (_) body: (_))
(struct_specifier "struct" @section name: (_) body: (_))
(class_specifier name: (_) body: (field_declaration_list (access_specifier) @section))
(struct_specifier name: (_) body: (field_declaration_list (access_specifier) @section))
(optional_parameter_declaration) @parameter.optional
(optional_parameter_declaration declarator: (_) @declarator)
(optional_parameter_declaration type: (_) @type)
(function_definition (storage_class_specifier) @static (#eq? @static "static"))
(field_declaration (storage_class_specifier) @static (#eq? @static "static"))
(namespace_definition) @scope
(namespace_definition name: (_) @name)
(throw_statement (call_expression function: (_) @raise))
