; Items.
(class_definition) @struct
(class_definition superclasses: (argument_list (_) @enum.base (#any-of? @enum.base "Enum" "enum.Enum" "StrEnum" "enum.StrEnum"
  "IntEnum" "enum.IntEnum" "Flag" "enum.Flag" "IntFlag" "enum.IntFlag")))
(function_definition) @function
(function_definition parameters: (parameters (identifier) @parameter.bare))
; What takes the rest is no argument that has to be given; behind it all are given by name.
(function_definition parameters: (parameters (typed_parameter . (identifier)) @parameter))
(function_definition parameters: (parameters (typed_parameter . (list_splat_pattern)) @parameter.end))
(function_definition parameters: (parameters (list_splat_pattern) @parameter.end))
(function_definition parameters: (parameters (keyword_separator) @parameter.end))
(function_definition parameters: (parameters (default_parameter) @parameter))
(function_definition parameters: (parameters (typed_default_parameter) @parameter))
(class_definition body: (block (expression_statement (assignment left: (identifier)) @field)))
(import_statement name: (dotted_name) @import)
(import_statement name: (aliased_import name: (_) @import))
(import_from_statement module_name: (_) @import)
(expression_statement (assignment left: (identifier) right: (subscript)) @alias)
(type_alias_statement) @alias
(assert_statement . (_) @assert)
(raise_statement . (call function: (_) @raise))
(raise_statement . (identifier) @raise (#match? @raise "^_*[A-Z]"))
(raise_statement . (attribute attribute: (_) @raise.name) @raise (#match? @raise.name "^_*[A-Z]"))
(function_definition body: (block . (expression_statement (ellipsis)) @hole .))
(function_definition body: (block . (pass_statement) @hole .))
(function_definition body: (block . (expression_statement (string)) . (expression_statement (ellipsis)) @hole .))
(function_definition body: (block . (expression_statement (string)) . (pass_statement) @hole .))
(comment) @comment

; What they are called and made of.
(class_definition name: (_) @name)
(function_definition name: (_) @name)
(function_definition return_type: (_) @returns)
(function_definition "async" @modifiers)
(decorated_definition (decorator (identifier) @static.name) definition: (function_definition name: (_) @static)
  (#any-of? @static.name "staticmethod" "classmethod"))
(typed_parameter . (identifier) @name)
(typed_parameter type: (_) @type)
(default_parameter name: (identifier) @name)
(default_parameter value: (_) @optional)
(typed_default_parameter name: (_) @name)
(typed_default_parameter type: (_) @type)
(typed_default_parameter value: (_) @optional)
(class_definition body: (block (expression_statement (assignment left: (identifier) @name))))
(class_definition body: (block (expression_statement (assignment type: (_) @type))))
(class_definition body: (block (expression_statement (assignment right: (_) @value))))
(expression_statement (assignment left: (identifier) @name right: (subscript) @alias.type))
(type_alias_statement left: (type (identifier) @name))
(type_alias_statement right: (_) @alias.type)
