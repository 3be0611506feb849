//! Samplers and their YCbCr conversions.

use venus_protocol::{args::*, dispatch::SamplerCommands, vk};

use super::{create, destroy, later};
use crate::endpoint::Endpoint;

impl SamplerCommands for Endpoint {
    create! {
        create_sampler(CreateSamplerArgs<'_>).p_sampler;
        create_sampler_ycbcr_conversion(CreateSamplerYcbcrConversionArgs<'_>).p_ycbcr_conversion;
    }

    destroy! {
        destroy_sampler(DestroySamplerArgs).sampler;
        destroy_sampler_ycbcr_conversion(DestroySamplerYcbcrConversionArgs).ycbcr_conversion;
    }

    later! {
        register_custom_border_color_ext(RegisterCustomBorderColorEXTArgs<'_>);
        unregister_custom_border_color_ext(UnregisterCustomBorderColorEXTArgs);
    }
}
