//! Shader modules. What their instructions say is between the guest and the driver's compiler.

use venus_protocol::{args::*, dispatch::ShaderModuleCommands, vk};

use super::destroy;
use crate::{driver::sanitize, endpoint::Endpoint, error::Interrupt};

impl ShaderModuleCommands for Endpoint {
    destroy! {
        destroy_shader_module(DestroyShaderModuleArgs).shader_module;
    }

    /// The code is whole words and whole instructions; compilers step from one to the next without a look at its end.
    fn create_shader_module(&mut self, args: &mut CreateShaderModuleArgs<'_>) -> Result<vk::Result, Interrupt> {
        sanitize::check_code(args.p_create_info).map_err(|refusal| self.left_out_for(refusal))?;
        let result = self.forward(args)?;
        self.adopt(args.device.id, result, &args.p_shader_module)
    }
}
