//! Rules that can be switched off, to see that the checker misses them.

/// A requirement of `docs/spec/names.md` or `transactions.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Rule {
    /// N8c to N8e: a Claim consumes a commitment of the right age.
    ClaimNeedsCommitment,
    /// N8: the owner is the one committed to, whoever pays.
    ClaimIsForItsOwner,
    /// N8f.
    ClaimNeedsExpiry,
    /// N8g.
    ClaimWaitsForGrace,
    /// N8, effect 3: whatever stood there is gone.
    ClaimReplacesWhole,
    /// N9d.
    UpdateNeedsKey,
    /// N10: out of grace an offer is withdrawn.
    LateRenewWithdrawsOffer,
    /// N11d.
    SetKeysNeedsOwner,
    /// N11e.
    SetKeysNeedsRecovery,
    /// N11: an offer made under another recovery key is withdrawn.
    NewRecoveryWithdrawsOffer,
    /// N12d.
    TransferNeedsOwner,
    /// N12e.
    TransferNeedsRecovery,
    /// N12, effect.
    TransferClearsManager,
    /// N12, effect.
    TransferClearsRecovery,
    /// N12, effect.
    TransferClearsOffer,
    /// N13d.
    OfferNeedsOwner,
    /// N13e.
    OfferNeedsRecovery,
    /// N14e.
    BuyNeedsOffer,
    /// N14f.
    BuyNeedsPrice,
    /// N14g.
    BuyNeedsBuyer,
    /// T11: the owner is paid.
    BuyPaysOwner,
    /// T11: the payer pays.
    BuyCosts,
    /// N14, effect.
    BuyClearsManager,
    /// N14, effect.
    BuyClearsRecovery,
    /// N14, effect.
    BuyClearsOffer,
    /// N15e.
    RecoverNeedsRecovery,
    /// N15, effect.
    RecoverClearsManager,
    /// N15, effect.
    RecoverClearsOffer,
    /// N15, effect.
    RecoverKeepsRecovery,
    /// N17: in grace everything but Renew waits.
    GraceIsInert,
    /// N17: what was released belongs to nobody.
    ReleasedIsInert,
    /// T11a: nobody pays what he has not.
    CostFits,
    /// T7e: a nonce is used once on a chain.
    NonceCounts,
    /// T11: burns and payments are the payer's, whoever owns the name.
    PayerPays,
    /// N11d, N12d, N13d: the manager is not the owner.
    ManagerOnlyWrites,
    /// N10: years are added, never taken.
    RenewAdds,
    /// T12: what the account's creation takes is burned, and counted so.
    CreationBurns,
    /// S9, step 4: fees go into the reward, no more and no less.
    FeesAreTheReward,
    /// S10: a reward is paid once.
    RewardGoesWhenPaid,
    /// S13: a block taken back takes its payments back.
    UndoRestoresCoins,
    /// S13: and what it did to the name.
    UndoRestoresName,
}

impl Rule {
    /// Every rule there is.
    pub const ALL: [Self; 41] = [
        Self::ClaimNeedsCommitment,
        Self::ClaimIsForItsOwner,
        Self::ClaimNeedsExpiry,
        Self::ClaimWaitsForGrace,
        Self::ClaimReplacesWhole,
        Self::UpdateNeedsKey,
        Self::LateRenewWithdrawsOffer,
        Self::SetKeysNeedsOwner,
        Self::SetKeysNeedsRecovery,
        Self::NewRecoveryWithdrawsOffer,
        Self::TransferNeedsOwner,
        Self::TransferNeedsRecovery,
        Self::TransferClearsManager,
        Self::TransferClearsRecovery,
        Self::TransferClearsOffer,
        Self::OfferNeedsOwner,
        Self::OfferNeedsRecovery,
        Self::BuyNeedsOffer,
        Self::BuyNeedsPrice,
        Self::BuyNeedsBuyer,
        Self::BuyPaysOwner,
        Self::BuyCosts,
        Self::BuyClearsManager,
        Self::BuyClearsRecovery,
        Self::BuyClearsOffer,
        Self::RecoverNeedsRecovery,
        Self::RecoverClearsManager,
        Self::RecoverClearsOffer,
        Self::RecoverKeepsRecovery,
        Self::GraceIsInert,
        Self::ReleasedIsInert,
        Self::CostFits,
        Self::NonceCounts,
        Self::PayerPays,
        Self::ManagerOnlyWrites,
        Self::RenewAdds,
        Self::CreationBurns,
        Self::FeesAreTheReward,
        Self::RewardGoesWhenPaid,
        Self::UndoRestoresCoins,
        Self::UndoRestoresName,
    ];
}

/// Which rules are in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InForce {
    off: u64,
}

impl InForce {
    /// All, as the spec says.
    pub const ALL: Self = Self { off: 0 };

    /// All but these.
    #[must_use]
    pub fn without(rules: &[Rule]) -> Self {
        Self { off: rules.iter().fold(0, |off, rule| off | 1 << *rule as u8) }
    }

    /// Whether `rule` is in force.
    #[must_use]
    pub const fn has(self, rule: Rule) -> bool {
        self.off >> rule as u8 & 1 == 0
    }
}
