//! Samplers and their YCbCr conversions.

use venus_protocol::{args::*, dispatch::SamplerCommands, vk};

use super::{create, destroy};
use crate::{endpoint::Endpoint, error::Interrupt};

impl SamplerCommands for Endpoint {
    create! {
        create_sampler_ycbcr_conversion(CreateSamplerYcbcrConversionArgs<'_>).p_ycbcr_conversion;
    }

    destroy! {
        destroy_sampler(DestroySamplerArgs).sampler;
        destroy_sampler_ycbcr_conversion(DestroySamplerYcbcrConversionArgs).ycbcr_conversion;
    }

    /// A border colour that it names by number has to be one.
    fn create_sampler(&mut self, args: &mut CreateSamplerArgs<'_>) -> Result<vk::Result, Interrupt> {
        let device = self.device(args.device.id)?;
        device.check_sampler(args.p_create_info).map_err(|refusal| self.left_out_for(refusal))?;
        let result = self.forward(args)?;
        self.adopt(args.device.id, result, &args.p_sampler)
    }

    /// The number counts only if the guest asks for one.
    fn register_custom_border_color_ext(
        &mut self,
        args: &mut RegisterCustomBorderColorEXTArgs<'_>,
    ) -> Result<vk::Result, Interrupt> {
        let device = self.device(args.device.id)?;
        if args.request_index != vk::FALSE {
            let index = device.check_border_colour("pIndex", *args.p_index);
            index.map_err(|refusal| self.left_out_for(refusal))?;
        }
        self.forward(args)
    }

    /// A driver looks the number up.
    fn unregister_custom_border_color_ext(
        &mut self,
        args: &mut UnregisterCustomBorderColorEXTArgs,
    ) -> Result<(), Interrupt> {
        let device = self.device(args.device.id)?;
        let index = device.check_border_colour("index", args.index);
        index.map_err(|refusal| self.left_out_for(refusal))?;
        self.forward(args)
    }
}
