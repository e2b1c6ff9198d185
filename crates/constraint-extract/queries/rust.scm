; Items.
(mod_item) @scope
(impl_item) @scope
(trait_item) @scope
(function_item) @function
(function_signature_item) @function
(parameters (parameter) @parameter)
(parameters (self_parameter) @receiver)
(struct_item) @struct
(struct_item body: (field_declaration_list (field_declaration) @field))
(struct_item body: (ordered_field_declaration_list type: (_) @field.positional))
(enum_item) @enum
(enum_variant) @variant
(enum_variant body: (field_declaration_list (field_declaration) @field))
(enum_variant body: (ordered_field_declaration_list type: (_) @field.positional))
(use_declaration argument: (_) @import)
(macro_invocation macro: (identifier) @hole.name (#any-of? @hole.name "todo" "unimplemented")) @hole
(macro_invocation macro: (identifier) @assert.name (token_tree) @assert
  (#any-of? @assert.name "assert" "debug_assert"))
(line_comment) @comment
(block_comment) @comment

; What they are called and made of.
(mod_item name: (_) @name)
(impl_item type: (_) @name)
(impl_item trait: (_) @trait)
(trait_item name: (_) @name)
(function_item name: (_) @name)
(function_signature_item name: (_) @name)
(struct_item name: (_) @name)
(enum_item name: (_) @name)
(enum_variant name: (_) @name)
(enum_variant value: (_) @value)
(parameter pattern: (identifier) @name)
(parameter type: (_) @type)
(field_declaration name: (_) @name)
(field_declaration type: (_) @type)
(function_item return_type: (_) @returns)
(function_signature_item return_type: (_) @returns)
(function_item (function_modifiers) @modifiers)
(function_signature_item (function_modifiers) @modifiers)
(foreign_mod_item body: (declaration_list (function_signature_item name: (_) @foreign)))
(function_item (visibility_modifier) @visibility)
(struct_item (visibility_modifier) @visibility)
(enum_item (visibility_modifier) @visibility)
